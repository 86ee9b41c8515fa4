package access

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
)

// Whatever is printed of what a door takes and gives, its log too, no secret is
// in it.
func TestNothingPrintsASecret(t *testing.T) {
	d, _ := newDoor(t)
	var log bytes.Buffer
	d.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var serial atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		log.Reset()
		password := postroom.Hide(rapid.StringMatching(`[A-Za-z0-9]{8,40}!{3}[A-Za-z0-9]{8}`).Draw(rt, "password"))
		wrong := postroom.Hide(rapid.StringMatching(`[A-Za-z0-9]{8,40}\?{3}`).Draw(rt, "wrong"))
		email := fmt.Sprintf("user%d@example.net", serial.Add(1))
		from := Client{Address: fmt.Sprintf("2001:db8:%x::1", serial.Load()), Agent: "Browser"}

		var printed []any
		note := func(values ...any) { printed = append(printed, values...) }
		link, needed, err := d.FirstLink(ctx)
		note(link, needed, err)
		u, err := d.CreateUser(ctx, email, "", postroom.RoleAgent, password)
		note(u, err)
		_, _, err = d.UseFirstLink(ctx, link.Reveal(), email, "", password, from)
		note(err)
		cookie, u, err := d.SignIn(ctx, email, password, from)
		note(cookie, u, err)
		v, s, err := d.Session(ctx, cookie.Reveal())
		note(v, s, err)
		_, _, err = d.SignIn(ctx, email, wrong, from)
		note(err)
		note(d.SetPassword(ctx, email, postroom.Hide(password.Reveal()[:9])))
		token, id, err := d.CreateToken(ctx, "shop", postroom.ScopeRead, nil)
		note(token, id, err)
		tv, err := d.Token(ctx, token.Reveal())
		note(tv, err)
		demo, err := d.SignInLink(ctx, u.ID)
		note(demo, err)
		_, err = d.Token(ctx, demo.Reveal())
		note(err)
		note(d, d.RevokeToken(ctx, id))
		hash, err := d.passwords.hash(ctx, password)
		note(err)
		_, err = d.passwords.matches(ctx, hash[:len(hash)-30], password)
		note(err)

		text := log.String()
		for _, value := range printed {
			text += fmt.Sprintf("%v %+v %#v %s\n", value, value, value, value)
			if _, isDoor := value.(*Door); !isDoor {
				written, _ := json.Marshal(value) // what cannot be written shows nothing
				text += string(written) + "\n"
			}
		}
		for name, secret := range map[string]string{
			"password": password.Reveal(), "half of the password": password.Reveal()[:9], "wrong password": wrong.Reveal(), "cookie": cookie.Reveal(),
			"token": token.Reveal(), "first link": link.Reveal(), "demo link": demo.Reveal(), "hash": hash,
		} {
			if secret == "" {
				rt.Fatalf("there is no %s", name)
			}
			if i := strings.Index(text, secret); i >= 0 {
				rt.Fatalf("the %s is printed: …%s", name, text[max(0, i-100):i])
			}
		}
	})
}
