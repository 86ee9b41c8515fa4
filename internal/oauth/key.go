package oauth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/postroom/postroom"
)

// A Key signs in an app's or an account's name. What it holds cannot be printed.
type Key struct {
	ID string // kid (RFC 7515 section 4.1.4); empty: none
	// Thumbprint is the SHA-256 of the certificate as x5t#S256 has it (RFC 7515 section
	// 4.1.8), by which Microsoft knows a key; empty: there is no certificate.
	Thumbprint string
	NotAfter   time.Time // when the certificate ends; zero: there is none
	// Algorithm is RS256, PS256, ES256, ES384 or EdDSA (RFC 7518 section 3.1, RFC 8037).
	// An RSA key with a certificate begins with PS256, as Microsoft wants it; another one with RS256.
	Algorithm string

	sign func(algorithm string, text []byte) ([]byte, error)
}

// ErrKey is the cause when a key cannot be used.
var ErrKey = errors.New("the private key cannot be used")

// ReadKey reads a private key in PEM (PKCS #8, PKCS #1 or SEC 1), with its certificate if
// that stands beside it.
func ReadKey(text postroom.Secret) (*Key, error) {
	var signer crypto.Signer
	var certificates []*x509.Certificate
	for rest := []byte(text.Reveal()); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE":
			if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
				certificates = append(certificates, certificate)
			}
		case "ENCRYPTED PRIVATE KEY":
			return nil, fmt.Errorf("%w: it is locked with a password", ErrKey)
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, fmt.Errorf("%w: it is locked with a password", ErrKey)
			}
			if signer != nil {
				return nil, fmt.Errorf("%w: there are two of them", ErrKey)
			}
			if signer = readSigner(block.Bytes); signer == nil {
				return nil, fmt.Errorf("%w: it cannot be read", ErrKey)
			}
		}
	}
	if signer == nil {
		return nil, fmt.Errorf("%w: there is none", ErrKey)
	}
	k, err := newKey(signer)
	if err != nil {
		return nil, err
	}
	return k, k.certify(signer, certificates)
}

func readSigner(der []byte) crypto.Signer {
	if any, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		signer, _ := any.(crypto.Signer)
		return signer
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	return nil
}

// newKey makes a Key of one that signs.
func newKey(signer crypto.Signer) (*Key, error) {
	switch key := signer.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < 2048 { // RFC 7518 section 3.3
			return nil, fmt.Errorf("%w: it is shorter than 2048 bits", ErrKey)
		}
		return &Key{Algorithm: "RS256", sign: func(algorithm string, text []byte) ([]byte, error) {
			sum := sha256.Sum256(text)
			switch algorithm {
			case "RS256":
				return rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
			case "PS256":
				return rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) // RFC 7518 section 3.5
			}
			return nil, fmt.Errorf("%w: it does not sign by %q", ErrKey, algorithm)
		}}, nil
	case *ecdsa.PrivateKey:
		switch key.Curve {
		case elliptic.P256():
			return &Key{Algorithm: "ES256", sign: func(_ string, text []byte) ([]byte, error) {
				sum := sha256.Sum256(text)
				return signEC(key, sum[:], 32)
			}}, nil
		case elliptic.P384():
			return &Key{Algorithm: "ES384", sign: func(_ string, text []byte) ([]byte, error) {
				sum := sha512.Sum384(text)
				return signEC(key, sum[:], 48)
			}}, nil
		}
	case ed25519.PrivateKey:
		return &Key{Algorithm: "EdDSA", sign: func(_ string, text []byte) ([]byte, error) { return ed25519.Sign(key, text), nil }}, nil
	}
	return nil, fmt.Errorf("%w: it is of a kind that is not spoken here", ErrKey)
}

// signEC writes a signature as two numbers of size octets (RFC 7518 section 3.4).
func signEC(key *ecdsa.PrivateKey, sum []byte, size int) ([]byte, error) {
	der, err := ecdsa.SignASN1(rand.Reader, key, sum)
	if err != nil {
		return nil, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		return nil, err
	}
	return append(pair.R.FillBytes(make([]byte, size)), pair.S.FillBytes(make([]byte, size))...), nil
}

// certify takes from certificates the one that is signer's.
func (k *Key) certify(signer crypto.Signer, certificates []*x509.Certificate) error {
	ours, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	for _, certificate := range certificates {
		if bytes.Equal(certificate.RawSubjectPublicKeyInfo, ours) {
			sum := sha256.Sum256(certificate.Raw)
			k.Thumbprint, k.NotAfter = base64.RawURLEncoding.EncodeToString(sum[:]), certificate.NotAfter
			if k.Algorithm == "RS256" {
				k.Algorithm = "PS256"
			}
			return nil
		}
	}
	if len(certificates) > 0 {
		return fmt.Errorf("%w: the certificate beside it belongs to another key", ErrKey)
	}
	return nil
}

// jwt signs claims (RFC 7519, as the compact form of RFC 7515 section 7.1).
func (k *Key) jwt(claims map[string]any) (string, error) {
	header := map[string]string{"alg": k.Algorithm, "typ": "JWT"}
	if k.ID != "" {
		header["kid"] = k.ID
	}
	if k.Thumbprint != "" {
		header["x5t#S256"] = k.Thumbprint
	}
	head, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	signature, err := k.sign(k.Algorithm, []byte(text))
	if err != nil {
		return "", err
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// clientAssertion says in the app's name that it is the app (RFC 7523 section 3), for
// five minutes from now and for one use.
func (k *Key) clientAssertion(clientID, audience string, now time.Time) (string, error) {
	if k.sign == nil {
		return "", fmt.Errorf("%w: there is none", ErrKey)
	}
	return k.jwt(map[string]any{
		"iss": clientID, "sub": clientID, "aud": audience, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	})
}
