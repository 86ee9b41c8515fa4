package simulator

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"time"
)

// sign makes a token of claims by RS256 (RFC 7515).
func (p *OAuthServer) sign(claims map[string]any) (string, error) {
	head, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": p.keyID()})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func (p *OAuthServer) keyID() string {
	sum := sha256.Sum256(p.key.N.Bytes())
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// jwks is the key by which ID tokens are signed (RFC 7517).
func (p *OAuthServer) jwks() map[string]any {
	return map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": p.keyID(),
		"n": base64.RawURLEncoding.EncodeToString(p.key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(p.key.E)).Bytes()),
	}}}
}

// claims are those of an assertion that are looked at.
type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Scope    string `json:"scope"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

var errAssertion = errors.New("the assertion is not signed by its key")

// readClaims reads an assertion without believing it.
func readClaims(assertion string) (c claims, err error) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return c, errAssertion
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c, errAssertion
	}
	return c, json.Unmarshal(body, &c)
}

// verify says whether an assertion was signed by key, with RS256, PS256 or ES256 (RFC
// 7518 section 3.1).
func verify(assertion string, key crypto.PublicKey) error {
	at := strings.LastIndexByte(assertion, '.')
	if at < 0 {
		return errAssertion
	}
	signature, err := base64.RawURLEncoding.DecodeString(assertion[at+1:])
	if err != nil {
		return errAssertion
	}
	sum := sha256.Sum256([]byte(assertion[:at]))
	switch key := key.(type) {
	case *rsa.PublicKey:
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil {
			return nil
		}
		return rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, nil)
	case *ecdsa.PublicKey:
		half := len(signature) / 2
		if ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])) {
			return nil
		}
	}
	return errAssertion
}

// isTimely says whether an assertion holds now, and for no more than an hour.
func (c claims) isTimely(now time.Time) bool {
	const skew = 5 * time.Minute
	expires, issued := time.Unix(c.Expires, 0), time.Unix(c.Issued, 0)
	return now.Before(expires.Add(skew)) && issued.Before(now.Add(skew)) && expires.Sub(issued) <= time.Hour
}
