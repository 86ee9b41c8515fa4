package oauth

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// longToken is one as Microsoft makes them: some thousand characters.
var longToken = "M.C519_BAY.0.U.-" + strings.Repeat("CqY7!vXz*3kPw9Rm$2sLt8", 60) + "$$"

// secretsSent are all that the questions of this test hold.
var secretsSent = map[string]string{
	"code": "4/0AQSTgQFz7Yk2vHcLw9mXbRd", "verifier": "M25iVXpKU3puUjFaYWg3T1NDTDQtcW1ROUY5YXlwalNoc0hhakxifmZHag",
	"refresh token": longToken, "client secret": "GOCSPX-9dk3LmQx7vTz2RwB", "device code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
	"access token": "ya29.a0AfB_byDk3mQ9zXv7Tw2RcLsJhYpNfGdKeUiOaSdFgHjKl",
}

// questions ask a provider everything that there is to ask, with every secret.
func questions(c *Client, a App) map[string]func() error {
	ctx := context.Background()
	hide := func(name string) postroom.Secret { return postroom.Hide(secretsSent[name]) }
	a.Secret = hide("client secret")
	inHeader := a
	inHeader.Auth = AuthHeader
	return map[string]func() error{
		"exchange": func() error {
			_, err := c.Exchange(ctx, a, Return{State: postroom.Hide("s"), Code: hide("code")}, hide("verifier"), nil)
			return err
		},
		"refresh": func() error { _, err := c.Refresh(ctx, a, hide("refresh token"), nil); return err },
		"refresh, proven in the header": func() error {
			_, err := c.Refresh(ctx, inHeader, hide("refresh token"), nil)
			return err
		},
		"client": func() error { _, err := c.ClientToken(ctx, inHeader, []string{".default"}); return err },
		"device": func() error {
			_, err := c.Device(ctx, a, nil)
			return err
		},
		"poll": func() error {
			_, err := c.Poll(ctx, a, &Device{DeviceCode: hide("device code"), Expires: noon.Add(time.Hour), Interval: time.Second})
			return err
		},
		"revoke": func() error { return c.Revoke(ctx, a, hide("refresh token"), RefreshToken) },
		"userinfo": func() error {
			_, err := c.Account(ctx, a, Grant{AccessToken: hide("access token")}, postroom.Secret{})
			return err
		},
		"by key": func() error {
			key, err := newKey(ecKey)
			if err != nil {
				return err
			}
			keyed := a
			keyed.Secret, keyed.Key = postroom.Secret{}, key
			_, err = c.Refresh(ctx, keyed, hide("refresh token"), nil)
			return err
		},
		"service account": func() error {
			key, err := newKey(ecKey)
			if err != nil {
				return err
			}
			_, err = c.ServiceToken(ctx, ServiceAccount{Email: "robot@example.com", TokenURL: a.TokenURL, Key: key}, "support@example.com", []string{"mail"})
			return err
		},
	}
}

var ecKey, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)

// told are the ways in which a server repeats what it was told.
var told = map[string]func(w http.ResponseWriter, form, header string, values []string){
	"JSON": func(w http.ResponseWriter, form, header string, values []string) {
		text := form + " " + header + " " + strings.Join(values, " ")
		w.WriteHeader(400)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"error": strings.Join(values, "_"), "error_description": text, "error_uri": "https://help.example/?" + form,
			"error_codes": values, "message": values, "code": text, "trace_id": text, "request": text, "access_token": "ya29.new-access-token-1234567890",
		})
	},
	"JSON, in an object": func(w http.ResponseWriter, form, header string, values []string) {
		w.WriteHeader(401)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": form + header, "status": strings.Join(values, ","), "debug": values}})
	},
	"success without a token": func(w http.ResponseWriter, form, header string, values []string) {
		_ = json.NewEncoder(w).Encode(map[string]any{"detail": form + header, "title": strings.Join(values, "|"), "refresh_token": "1//the-new-refresh-token-abcdef", "interval": 5})
	},
	"a form": func(w http.ResponseWriter, form, header string, values []string) {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, url.Values{"error": {"bad"}, "error_description": {form + header + strings.Join(values, " ")}}.Encode())
	},
	"a page": func(w http.ResponseWriter, form, header string, values []string) {
		w.WriteHeader(500)
		_, _ = io.WriteString(w, "<html><title>"+html.EscapeString(form+header+strings.Join(values, " "))+"</title><pre>"+form)
	},
	"words": func(w http.ResponseWriter, form, header string, values []string) {
		w.WriteHeader(500)
		_, _ = io.WriteString(w, "panic: "+strings.Join(values, "\n")+header+"\n"+form)
	},
	"base64": func(w http.ResponseWriter, form, header string, values []string) {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":"x","error_description":"`+base64.StdEncoding.EncodeToString([]byte(strings.Join(values, ";")+form))+`"}`)
	},
	"parts": func(w http.ResponseWriter, _, _ string, values []string) {
		var parts []string
		for _, value := range values {
			parts = append(parts, value[:len(value)*3/5]+"…", "…"+value[len(value)/2:])
		}
		w.WriteHeader(400)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": "x", "error_description": strings.Join(parts, " ")})
	},
	"a redirect": func(w http.ResponseWriter, form, header string, _ []string) {
		w.Header().Set("Location", "https://elsewhere.example/"+url.PathEscape(header)+"?"+form)
		w.WriteHeader(307)
	},
}

// No error, and nothing within one, holds a code, a token, a verifier, a secret or an
// assertion, however a server repeats them.
func TestErrorsHoldNoSecrets(t *testing.T) {
	for how, tell := range told {
		t.Run(how, func(t *testing.T) {
			var assertions []string
			p := provide(t, func(w http.ResponseWriter, r *http.Request) {
				var values []string
				for name, all := range r.PostForm {
					if len(all[0]) > 15 && !strings.Contains(name, "type") && name != "redirect_uri" {
						values = append(values, all[0])
					}
					if strings.HasSuffix(name, "assertion") {
						assertions = append(assertions, all[0])
					}
				}
				_, proof, _ := strings.Cut(r.Header.Get("Authorization"), " ")
				if plain, err := base64.StdEncoding.DecodeString(proof); err == nil && proof != "" {
					values = append(values, string(plain))
				}
				if proof != "" {
					values = append(values, proof)
				}
				tell(w, r.PostForm.Encode(), r.Header.Get("Authorization"), values)
			})
			for what, ask := range questions(p.client(), p.app()) {
				err := ask()
				if err == nil && what == "revoke" { // a success has nothing to say
					continue
				}
				if _, ok := RefusalOf(err); !ok && !errors.Is(err, ErrNoAccount) {
					t.Errorf("%s: %v, want a Refusal", what, err)
				}
				assertNoSecret(t, what, err, assertions)
			}
		})
	}
}

// What breaks on the way quotes what came, too.
func TestErrorsOfTheNetworkHoldNoSecrets(t *testing.T) {
	tests := map[string]string{
		"no HTTP":          "%s\r\n\r\n",
		"a strange header": "HTTP/1.1 200 OK\r\n%s\r\n\r\n",
		"a strange status": "HTTP/1.1 %s\r\n\r\n",
		"a strange length": "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
	}
	for name, format := range tests {
		t.Run(name, func(t *testing.T) {
			at := speak(t, func(c net.Conn) {
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				body, _ := io.ReadAll(r.Body)
				plain, _ := url.QueryUnescape(string(body))
				fmt.Fprintf(c, format, plain+r.Header.Get("Authorization"))
			})
			a := appAt("https://login.example")
			for _, one := range []*string{&a.TokenURL, &a.DeviceURL, &a.RevokeURL, &a.UserInfoURL} {
				*one = "http://" + at + "/ask"
			}
			c := &Client{Now: func() time.Time { return noon }}
			for what, ask := range questions(c, a) {
				assertNoSecret(t, what, ask(), nil)
			}
		})
	}
}

// assertNoSecret looks into an error, and into everything that it wraps.
func assertNoSecret(t *testing.T, what string, err error, more []string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Error("x", "err", err)
	shown := log.String()
	var look func(error)
	look = func(err error) {
		shown += fmt.Sprintf("\n%v\n%+v\n%#v\n", err, err, err)
		if r, ok := err.(*Refusal); ok {
			shown += fmt.Sprintf("%+v %#v", *r, *r)
		}
		switch wraps := err.(type) {
		case interface{ Unwrap() []error }:
			for _, one := range wraps.Unwrap() {
				look(one)
			}
		case interface{ Unwrap() error }:
			if one := wraps.Unwrap(); one != nil {
				look(one)
			}
		}
	}
	look(err)
	all := []string{"ya29.new-access-token-1234567890", "1//the-new-refresh-token-abcdef"}
	for _, secret := range secretsSent {
		all = append(all, secret)
	}
	for _, secret := range append(all, more...) {
		for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
			// Any part that is as long as half of a usual secret is too much.
			for at := 0; at+26 <= len(form); at += 7 {
				if part := form[at : at+26]; strings.Contains(shown, part) {
					t.Fatalf("%s: %q of a secret is in %s", what, part, shown)
				}
			}
			if strings.Contains(shown, form) {
				t.Fatalf("%s: a secret is in %s", what, shown)
			}
		}
	}
}

// Tokens that came in an answer that cannot be used are not shown either.
func TestTokensThatCameAreNotShown(t *testing.T) {
	const token = "ya29.a0AfB_byDk3mQ9zXv7Tw2RcLsJhYpNfGdKeUiOaSdFgHjKl"
	for _, body := range []string{
		token, `{"access_token":"` + token, `{"access_token":"` + token + `","access_token":"b"}`, `["` + token + `"]`, `{"access_token":"` + token + `"} {}`,
		"access_token=" + token + "&access_token=b", "oauth2_token: " + token, `{"access_token":"` + token + `","x":"` + strings.Repeat("x", maxAnswer) + `"}`,
		`{"access_token":"` + token + `","token_type":"mac","message":"take ` + token + `"}`, `{"refresh_token":"` + token + `","detail":"` + token + `"}`,
		`{"access_token":"` + token + `\n"}`, `{"data":{"access_token":"` + token + `"}}`, `{"error":{"access_token":"` + token + `"}}`,
	} {
		for _, status := range []int{200, 400} {
			p := provide(t, says(status, "application/json", body))
			_, err := refresh(t, p)
			shown := fmt.Sprintf("%v %+v", err, *refusalOf(t, err))
			if strings.Contains(shown, token[:20]) && !(status == 400 && !strings.Contains(body, "_token")) {
				t.Errorf("%d %.60s: %s", status, body, shown)
			}
		}
	}
}

func TestNothingThatHoldsSecretsPrintsThem(t *testing.T) {
	der, err := x509.MarshalPKCS8PrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ReadKey(postroom.Hide(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ecKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	a := appAt("https://login.example")
	a.Key = key
	hidden := postroom.Hide(secretsSent["code"])
	for _, one := range []any{a, &a, key, *key, Grant{AccessToken: hidden, RefreshToken: hidden, IDToken: hidden}, Return{Code: hidden, State: hidden},
		Device{DeviceCode: hidden}, ServiceAccount{Key: key}, Begun{Verifier: hidden, Nonce: hidden}} {
		text := fmt.Sprintf("%v %+v %#v %s", one, one, one, one)
		if js, err := json.Marshal(one); err == nil {
			text += string(js)
		}
		for _, secret := range []string{secretsSent["code"], a.Secret.Reveal(), new(big.Int).SetBytes(raw).String(), hex.EncodeToString(raw), fmt.Sprint(raw)} {
			if strings.Contains(text, secret) {
				t.Errorf("%T prints %q", one, secret)
			}
		}
	}
}

// A name that the protocol gives to errors is told, though a secret looks like it, and
// what it means can be looked up in what was heard.
func TestErrorsKeepTheirNames(t *testing.T) {
	p := provide(t, says(400, "application/json", `{"error":"invalid_grant","error_description":"invalid_grant for client invalid_grant_app"}`))
	a := p.app()
	a.Secret = postroom.Hide("invalid_grant")
	_, err := p.client().Refresh(context.Background(), a, postroom.Hide("r"), nil)
	r := refusalOf(t, err)
	if r.Code != "invalid_grant" || strings.Contains(r.Description, "invalid_grant") || !strings.Contains(r.Heard.Reveal(), "invalid_grant for client") {
		t.Errorf("refusal = %q %q, heard %q", r.Code, r.Description, r.Heard.Reveal())
	}
}

// speak listens on this machine and lets say speak to whoever connects.
func speak(t *testing.T, say func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			say(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}
