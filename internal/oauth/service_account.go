package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// A ServiceAccount is an account of a program at Google, which opens every mailbox of a
// domain whose administrator has allowed its ClientID to (domain-wide delegation).
type ServiceAccount struct {
	Email    string
	ClientID string // what the administrator enters
	TokenURL string
	Key      *Key
}

// ErrKeyFile is the cause when a file is not the key of a service account.
var ErrKeyFile = errors.New("this is not the key file of a service account")

const googleToken = "https://oauth2.googleapis.com/token"

// ReadServiceAccount reads the JSON file that Google makes for a key of an account.
func ReadServiceAccount(file postroom.Secret) (ServiceAccount, error) {
	var said struct {
		Type     string `json:"type"`
		Email    string `json:"client_email"`
		ClientID string `json:"client_id"`
		KeyID    string `json:"private_key_id"`
		Key      string `json:"private_key"`
		TokenURL string `json:"token_uri"`
	}
	text := file.Reveal()
	switch {
	case len(text) > maxAnswer:
		return ServiceAccount{}, fmt.Errorf("%w: it is too long", ErrKeyFile)
	case json.Unmarshal([]byte(text), &said) != nil: // the error would quote it
		return ServiceAccount{}, fmt.Errorf("%w: it is not JSON", ErrKeyFile)
	case said.Type != "service_account":
		return ServiceAccount{}, fmt.Errorf("%w: its type is not service_account", ErrKeyFile)
	case said.Email == "" || said.Key == "":
		return ServiceAccount{}, fmt.Errorf("%w: client_email or private_key is missing", ErrKeyFile)
	}
	key, err := ReadKey(postroom.Hide(said.Key))
	if err != nil {
		return ServiceAccount{}, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	if key.ID = said.KeyID; said.TokenURL == "" {
		said.TokenURL = googleToken
	}
	s := ServiceAccount{Email: said.Email, ClientID: said.ClientID, TokenURL: said.TokenURL, Key: key}
	if _, err := (App{}).address("token_url", s.TokenURL); err != nil {
		return ServiceAccount{}, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	return s, nil
}

// ServiceToken asks for a token with which the account opens the mailbox of subject (RFC
// 7523 section 2.1), for an hour. There is no refresh token: it is asked for again.
func (c *Client) ServiceToken(ctx context.Context, s ServiceAccount, subject string, scopes []string) (Grant, error) {
	to, err := App{}.address("token_url", s.TokenURL)
	if err != nil {
		return Grant{}, err
	}
	if s.Key == nil || s.Key.sign == nil {
		return Grant{}, &AppError{"private_key", "is missing"}
	}
	now := c.now()
	claims := map[string]any{
		"iss": s.Email, "scope": strings.Join(scopes, " "), "aud": to.String(),
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), // the longest that Google takes
	}
	if subject != "" {
		claims["sub"] = subject
	}
	assertion, err := s.Key.jwt(claims)
	if err != nil {
		return Grant{}, err
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	said, secrets, err := c.ask(ctx, request{phase: PhaseToken, to: to, form: form})
	if err != nil {
		return Grant{}, err
	}
	return said.grant(PhaseToken, now, secrets, scopes)
}
