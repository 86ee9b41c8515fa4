package oauth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func octets(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// rsaKey is that of RFC 7515 appendix A.2.
func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	number := func(text string) *big.Int { return new(big.Int).SetBytes(octets(t, text)) }
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{E: 65537, N: number("ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ")},
		D:         number("Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ"),
		Primes: []*big.Int{
			number("4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc"),
			number("uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc"),
		},
	}
	key.Precompute()
	if err := key.Validate(); err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSignaturesAreThoseOfTheRFCs(t *testing.T) {
	tests := map[string]struct {
		key       crypto.Signer
		algorithm string
		input     string
		want      string
	}{
		"RFC 7515 appendix A.2": {rsaKey(t), "RS256", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
			"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
		"RFC 8037 appendix A.4": {ed25519.NewKeyFromSeed(octets(t, "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")), "EdDSA",
			base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte("Example of Ed25519 signing")),
			"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
	}
	for name, test := range tests {
		k, err := newKey(test.key)
		if err != nil || k.Algorithm != test.algorithm {
			t.Fatalf("%s: %s, %v", name, k.Algorithm, err)
		}
		got, err := k.sign(k.Algorithm, []byte(test.input))
		if err != nil || base64.RawURLEncoding.EncodeToString(got) != test.want {
			t.Errorf("%s: %s, %v, want %s", name, base64.RawURLEncoding.EncodeToString(got), err, test.want)
		}
	}
}

// certificate makes one for key, and its SHA-256.
func certificate(t *testing.T, key crypto.Signer) (text, thumbprint string) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Postroom"}, NotBefore: noon, NotAfter: noon.AddDate(2, 0, 0)}, &x509.Certificate{}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), base64.RawURLEncoding.EncodeToString(sum[:])
}

func pkcs8(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// verify takes a JWT apart and looks at its signature.
func verify(t *testing.T, token string, public crypto.PublicKey) (header map[string]string, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	for part, into := range map[string]any{parts[0]: &header, parts[1]: &claims} {
		if err := json.Unmarshal(octets(t, part), into); err != nil {
			t.Fatal(err)
		}
	}
	text, signature := []byte(parts[0]+"."+parts[1]), octets(t, parts[2])
	sum, long := sha256.Sum256(text), sha512.Sum384(text)
	right := false
	switch public := public.(type) {
	case *rsa.PublicKey:
		if header["alg"] == "PS256" {
			right = rsa.VerifyPSS(public, crypto.SHA256, sum[:], signature, &rsa.PSSOptions{SaltLength: 32}) == nil
		} else {
			right = rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], signature) == nil
		}
	case *ecdsa.PublicKey:
		half := len(signature) / 2
		digest := map[string][]byte{"ES256": sum[:], "ES384": long[:]}[header["alg"]]
		right = len(signature) == (public.Params().BitSize+7)/8*2 && ecdsa.Verify(public, digest, new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
	case ed25519.PublicKey:
		right = ed25519.Verify(public, text, signature)
	}
	if !right {
		t.Errorf("the signature by %s is wrong", header["alg"])
	}
	return header, claims
}

func TestKeysAreRead(t *testing.T) {
	rsaK := rsaKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, thumbprint := certificate(t, rsaK)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		text                  string
		public                crypto.PublicKey
		algorithm, thumbprint string
	}{
		"PKCS #8":                 {pkcs8(t, rsaK), rsaK.Public(), "RS256", ""},
		"PKCS #1":                 {string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaK)})), rsaK.Public(), "RS256", ""},
		"a certificate before":    {cert + pkcs8(t, rsaK), rsaK.Public(), "PS256", thumbprint},
		"a certificate behind":    {"Bag Attributes\n" + pkcs8(t, rsaK) + "subject=Postroom\n" + cert, rsaK.Public(), "PS256", thumbprint},
		"an elliptic curve":       {pkcs8(t, ecKey), ecKey.Public(), "ES256", ""},
		"SEC 1":                   {string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: ecDER})), ecKey.Public(), "ES256", ""},
		"a longer curve":          {pkcs8(t, p384), p384.Public(), "ES384", ""},
		"Ed25519":                 {pkcs8(t, edKey), edKey.Public(), "EdDSA", ""},
		"with Windows' line ends": {strings.ReplaceAll(pkcs8(t, rsaK), "\n", "\r\n"), rsaK.Public(), "RS256", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k, err := ReadKey(postroom.Hide(test.text))
			if err != nil {
				t.Fatal(err)
			}
			assertion, err := k.clientAssertion("app", "https://login.example/token", noon)
			if err != nil {
				t.Fatal(err)
			}
			header, claims := verify(t, assertion, test.public)
			if header["alg"] != test.algorithm || header["typ"] != "JWT" || header["x5t#S256"] != test.thumbprint || k.NotAfter.IsZero() != (test.thumbprint == "") {
				t.Errorf("header = %v, want %s and %q", header, test.algorithm, test.thumbprint)
			}
			if claims["iss"] != "app" || claims["sub"] != "app" || claims["aud"] != "https://login.example/token" || claims["jti"] == "" ||
				claims["iat"] != float64(noon.Unix()) || claims["exp"] != float64(noon.Unix()+300) {
				t.Errorf("claims = %v", claims)
			}
		})
	}
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := certificate(t, ecKey)
	block := func(kind, text string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(text)}))
	}
	tests := map[string]string{
		"nothing":                    "",
		"a password":                 "GOCSPX-9dk3LmQx7vTz2RwB",
		"only a certificate":         other,
		"another's certificate":      pkcs8(t, rsaKey(t)) + other,
		"two keys":                   pkcs8(t, ecKey) + pkcs8(t, ecKey),
		"locked":                     block("ENCRYPTED PRIVATE KEY", "x"),
		"locked in the old way":      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
		"broken":                     block("PRIVATE KEY", "GOCSPX-9dk3LmQx7vTz2RwB"),
		"too short":                  pkcs8(t, short),
		"a curve that is not spoken": pkcs8(t, p521),
	}
	for name, text := range tests {
		if k, err := ReadKey(postroom.Hide(text)); !errors.Is(err, ErrKey) || k != nil && err == nil || strings.Contains(err.Error(), "GOCSPX") {
			t.Errorf("%s: %v, want %v", name, err, ErrKey)
		}
	}
}

// Microsoft wants an assertion for the token endpoint, whatever else is asked.
func TestAnAppProvesItselfByCertificate(t *testing.T) {
	p := provide(t, says(200, "application/json", `{"access_token":"a"}`))
	rsaK := rsaKey(t)
	cert, thumbprint := certificate(t, rsaK)
	key, err := ReadKey(postroom.Hide(pkcs8(t, rsaK) + cert))
	if err != nil {
		t.Fatal(err)
	}
	a := p.app()
	a.TokenURL, a.Tenant, a.Key, a.Secret = p.URL+"/{tenant}/token", "contoso.example", key, postroom.Secret{}
	if _, err := p.client().ClientToken(context.Background(), a, []string{"https://outlook.office365.com/.default"}); err != nil {
		t.Fatal(err)
	}
	if err := p.client().Revoke(context.Background(), a, postroom.Hide("t"), AccessToken); err != nil {
		t.Fatal(err)
	}
	seen := ""
	for _, asked := range p.asked {
		if asked.form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || asked.form.Has("client_secret") || asked.form.Get("client_id") != a.ClientID {
			t.Errorf("asked %v", asked.form)
		}
		header, claims := verify(t, asked.form.Get("client_assertion"), rsaK.Public())
		if header["alg"] != "PS256" || header["x5t#S256"] != thumbprint || claims["aud"] != p.URL+"/contoso.example/token" || claims["jti"] == seen {
			t.Errorf("assertion = %v %v", header, claims)
		}
		seen, _ = claims["jti"].(string)
	}
}

func TestServiceAccounts(t *testing.T) {
	p := provide(t, says(200, "application/json", `{"access_token":"ya29.c","expires_in":3599,"token_type":"Bearer"}`))
	rsaK := rsaKey(t)
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "postroom", "private_key_id": "f1d2", "private_key": pkcs8(t, rsaK),
		"client_email": "robot@postroom.iam.gserviceaccount.com", "client_id": "1089", "token_uri": p.URL + "/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadServiceAccount(postroom.Hide(string(file)))
	if err != nil {
		t.Fatal(err)
	}
	g, err := p.client().ServiceToken(context.Background(), s, "support@example.com", []string{"https://mail.google.com/"})
	if err != nil || g.AccessToken.Reveal() != "ya29.c" || !g.RefreshToken.IsEmpty() || !g.Expires.Equal(noon.Add(3599*time.Second)) {
		t.Fatalf("grant = %+v, %v", g, err)
	}
	form := p.asked[0].form
	header, claims := verify(t, form.Get("assertion"), rsaK.Public())
	if len(form) != 2 || form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || header["alg"] != "RS256" || header["kid"] != "f1d2" {
		t.Errorf("asked %v with %v", form, header)
	}
	if claims["iss"] != s.Email || claims["sub"] != "support@example.com" || claims["scope"] != "https://mail.google.com/" || claims["aud"] != p.URL+"/token" ||
		claims["exp"] != float64(noon.Unix()+3600) || claims["iat"] != float64(noon.Unix()) {
		t.Errorf("claims = %v", claims)
	}
}

func TestFilesThatAreNoServiceAccounts(t *testing.T) {
	key, err := json.Marshal(pkcs8(t, ecKey))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"nothing":          "",
		"a key":            pkcs8(t, ecKey),
		"a client":         `{"web":{"client_id":"x","client_secret":"GOCSPX-9dk3"}}`,
		"no key":           `{"type":"service_account","client_email":"a@b.c"}`,
		"a broken key":     `{"type":"service_account","client_email":"a@b.c","private_key":"GOCSPX-9dk3"}`,
		"a book":           `{"type":"service_account","x":"` + strings.Repeat("x", maxAnswer) + `"}`,
		"a place in clear": `{"type":"service_account","client_email":"a@b.c","private_key":` + string(key) + `,"token_uri":"http://evil.example/"}`,
	}
	for name, text := range tests {
		if _, err := ReadServiceAccount(postroom.Hide(text)); !errors.Is(err, ErrKeyFile) || strings.Contains(err.Error(), "GOCSPX") {
			t.Errorf("%s: %v, want %v", name, err, ErrKeyFile)
		}
	}
	s, err := ReadServiceAccount(postroom.Hide(`{"type":"service_account","client_email":"a@b.c","private_key":` + string(key) + `}`))
	if err != nil || s.TokenURL != googleToken {
		t.Errorf("without a place: %s, %v", s.TokenURL, err)
	}
}
