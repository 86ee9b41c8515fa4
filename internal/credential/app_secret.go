package credential

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
)

// A pasted is what somebody entered as the secret, understood.
type pasted struct {
	kind     postroom.AppSecretKind
	secret   postroom.Secret
	ends     time.Time // of the certificate; zero: not known
	clientID string    // that stood beside it; empty: none
}

const maxSecret = 32 << 10 // bytes, of a key file

// readSecret understands what somebody entered as the secret of a registration: a text, a
// key with its certificate, or a file of Google's, whatever they called it.
func readSecret(text postroom.Secret, app postroom.OAuthApp) (pasted, error) {
	plain := tidy(text.Reveal())
	switch {
	case plain == "":
		return pasted{}, nil
	case len(plain) > maxSecret:
		return pasted{}, wrong("client_secret", "What was entered as the client secret is too long to be one.", "Copy only the secret itself, or the key file as the provider made it.")
	case strings.HasPrefix(plain, "{"):
		return readFile(plain)
	case strings.Contains(plain, "-----BEGIN "):
		return readCertificate(plain)
	case strings.IndexFunc(plain, noBlank(app)) >= 0:
		return pasted{}, wrong("client_secret", "The client secret holds blanks, so something else was copied with it.", "Copy only the secret itself.")
	}
	return pasted{kind: postroom.AppSecretText, secret: postroom.Hide(plain)}, mistaken(plain, app)
}

// noBlank says which blanks no client secret of a provider holds. RFC 6749 appendix A.2
// allows them, and of a provider that is not known nobody can say that it has none.
func noBlank(app postroom.OAuthApp) func(rune) bool {
	return func(r rune) bool {
		return unicode.IsSpace(r) && (r != ' ' || app.Provider != postroom.GenericProvider)
	}
}

// mistaken says what a client secret is instead of one.
func mistaken(plain string, app postroom.OAuthApp) error {
	switch {
	case strings.HasSuffix(plain, googleClient):
		return wrong("client_secret", "This is the client id, not the client secret.", "Enter it as the client id, and copy the client secret, which begins with GOCSPX-.")
	case isMicrosoft(app.Provider) && !hasOwnAddresses(app) && guid.MatchString(plain):
		return wrong("client_secret", "This is the id of the client secret, or of the application, not the secret itself.",
			"In Microsoft Entra open Certificates & secrets. Copy what stands under Value; it is shown only right after the secret was made, so make a new one if need be.")
	}
	return nil
}

// readFile reads a file that Google offers for download: the key of a service account,
// or a client with its secret.
func readFile(plain string) (pasted, error) {
	type client struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	var file struct {
		Type      string  `json:"type"`
		Web       *client `json:"web"`
		Installed *client `json:"installed"`
	}
	if json.Unmarshal([]byte(plain), &file) != nil { // the error would quote it
		return pasted{}, wrong("client_secret", "The file that was pasted is cut off, or is not JSON.", "Open the file that the provider made, select all of it, and paste it again.")
	}
	if file.Installed != nil {
		file.Web = file.Installed
	}
	switch {
	case file.Web != nil && file.Web.ID != "" && file.Web.Secret != "":
		return pasted{kind: postroom.AppSecretText, secret: postroom.Hide(tidy(file.Web.Secret)), clientID: tidy(file.Web.ID)}, nil
	case file.Web != nil:
		return pasted{}, wrong("client_secret", "The file holds no client secret.", "Make a client secret in the Google Cloud console, under Clients, and enter it here.")
	}
	account, err := oauth.ReadServiceAccount(postroom.Hide(plain))
	if err != nil {
		f := wrong("client_secret", "The file that was pasted is not the key of a service account.",
			"In the Google Cloud console open the service account, then Keys, Add key, Create new key, JSON, and paste the whole file.")
		f.Err = err
		return pasted{}, f
	}
	return pasted{kind: postroom.AppSecretKeyFile, secret: postroom.Hide(plain), clientID: account.ClientID}, nil
}

// readCertificate reads a private key with its certificate.
func readCertificate(plain string) (pasted, error) {
	key, err := oauth.ReadKey(postroom.Hide(plain + "\n"))
	if err == nil {
		return pasted{kind: postroom.AppSecretCertificate, secret: postroom.Hide(plain + "\n"), ends: key.NotAfter}, nil
	}
	f := wrong("client_secret", "The private key cannot be used.", "Paste an RSA key of at least 2048 bits with its certificate, both as PEM, without a password.")
	f.Err = err
	switch text := err.Error(); {
	case !strings.Contains(plain, "PRIVATE KEY"):
		f.Explanation = "This is only the certificate, which everybody may see. The private key that belongs to it is missing."
		f.Remedy = "Paste both: the private key (-----BEGIN PRIVATE KEY-----) and the certificate."
	case strings.Contains(text, "password"):
		f.Explanation = "The private key is locked with a password."
		f.Remedy = "Write it out without one, as with “openssl pkey -in key.pem -out open.pem”, and paste that. Postroom encrypts what it keeps."
	case strings.Contains(text, "another key"):
		f.Explanation = "The certificate does not belong to this private key."
		f.Remedy = "Paste the certificate that was made with this key."
	case strings.Contains(text, "two of them"):
		f.Explanation = "There is more than one private key."
		f.Remedy = "Paste one private key, and the certificate that was made with it."
	}
	return pasted{}, f
}

// openSecret makes of a kept secret what package oauth wants.
func (r *Registration) openSecret(secret postroom.Secret) error {
	switch r.SecretKind {
	case postroom.AppSecretText:
		r.OAuth.Secret = secret
	case postroom.AppSecretCertificate:
		key, err := oauth.ReadKey(secret)
		if err != nil {
			return err
		}
		r.OAuth.Key = key
	case postroom.AppSecretKeyFile:
		account, err := oauth.ReadServiceAccount(secret)
		if err != nil {
			return err
		}
		if r.TokenURL != "" {
			account.TokenURL = r.TokenURL
		}
		r.Service = &account
	}
	return nil
}

var errNoSecret = errors.New("the registration has no secret")
