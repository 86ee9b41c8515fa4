package access

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

func TestSignInOpensASession(t *testing.T) {
	d, _ := newDoor(t)
	ada := mustCreate(t, d, " Ada@Example.NET ", postroom.RoleAgent)
	if ada.Email != "ada@example.net" || ada.Name != "ada@example.net" {
		t.Errorf("created %+v", ada)
	}
	cookie, u, err := d.SignIn(t.Context(), "ADA@example.net", postroom.Hide(rightPassword), somewhere)
	if err != nil || u.ID != ada.ID {
		t.Fatal(u, err)
	}
	v, s, err := d.Session(t.Context(), cookie.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if v.User != ada.ID || v.Role != postroom.RoleAgent || v.Name != ada.Name || v.Token != 0 {
		t.Errorf("viewer = %+v", v)
	}
	if s.Address != somewhere.Address || s.Agent != somewhere.Agent {
		t.Errorf("session = %+v", s)
	}
	if err := d.SignOut(t.Context(), cookie.Reveal()); err != nil {
		t.Fatal(err)
	}
	_, _, err = d.Session(t.Context(), cookie.Reveal())
	wantKind(t, "after signing out", err, postroom.Unauthenticated)
	if err := d.SignOut(t.Context(), cookie.Reveal()); err != nil {
		t.Errorf("signing out twice: %v", err)
	}
}

func TestCookiesThatOpenNothing(t *testing.T) {
	d, _ := newDoor(t)
	for _, cookie := range []string{"", "x", strings.Repeat("A", secretLength), strings.Repeat("A", 10_000), "\xff\x00"} {
		_, _, err := d.Session(t.Context(), cookie)
		wantKind(t, "the cookie", err, postroom.Unauthenticated)
		if err := d.SignOut(t.Context(), cookie); err != nil {
			t.Error(err)
		}
	}
}

func TestSignInsThatFailSayTheSame(t *testing.T) {
	d, _ := newDoor(t)
	root := mustCreate(t, d, "root@example.net", postroom.RoleAdmin)
	mustCreate(t, d, "ada@example.net", postroom.RoleAgent)
	zoe := mustCreate(t, d, "zoe@example.net", postroom.RoleAgent)
	if err := d.Disable(t.Context(), ViewerOf(root), zoe.ID); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ email, password string }{
		"wrong password":         {"ada@example.net", "wrong"},
		"no password":            {"ada@example.net", ""},
		"a very long password":   {"ada@example.net", strings.Repeat(rightPassword, 10_000)},
		"unknown address":        {"eve@example.net", rightPassword},
		"not an address":         {"ada", rightPassword},
		"a disabled user":        {"zoe@example.net", rightPassword},
		"a hostile address":      {"' or 1=1 --\x00\xff", rightPassword},
		"somebody's with a name": {"Ada <ada@example.net>", rightPassword},
	}
	var words string
	for name, tt := range tests {
		cookie, u, err := d.SignIn(t.Context(), tt.email, postroom.Hide(tt.password), somewhere)
		wantKind(t, name, err, postroom.Unauthenticated)
		if !cookie.IsEmpty() || u.ID != 0 {
			t.Errorf("%s: gave a cookie or a user away", name)
		}
		if words == "" {
			words = err.Error()
		}
		if err.Error() != words {
			t.Errorf("%s says %q, others %q", name, err, words)
		}
	}
}

func TestSessionSlides(t *testing.T) {
	d, c := newDoor(t)
	mustCreate(t, d, "ada@example.net", postroom.RoleAgent)
	cookie := mustSignIn(t, d, "ada@example.net")
	for range 5 {
		c.pass(SessionLasts - time.Second)
		if _, _, err := d.Session(t.Context(), cookie); err != nil {
			t.Fatalf("used within its time: %v", err)
		}
	}
	c.pass(SessionLasts)
	_, _, err := d.Session(t.Context(), cookie)
	wantKind(t, "unused for its whole time", err, postroom.Unauthenticated)
}

func TestSessionsAreListedAndRevoked(t *testing.T) {
	d, c := newDoor(t)
	ada := ViewerOf(mustCreate(t, d, "ada@example.net", postroom.RoleAgent))
	zoe := ViewerOf(mustCreate(t, d, "zoe@example.net", postroom.RoleAgent))
	first := mustSignIn(t, d, "ada@example.net")
	c.pass(time.Hour)
	second := mustSignIn(t, d, "ada@example.net")

	list, err := d.Sessions(t.Context(), ada)
	if err != nil || len(list) != 2 || !list[0].CreatedAt.After(list[1].CreatedAt) {
		t.Fatalf("Sessions = %+v, %v, want two, the newer first", list, err)
	}
	wantKind(t, "another user's session", d.Revoke(t.Context(), zoe, list[1].ID), postroom.NotFound)
	if err := d.Revoke(t.Context(), ada, list[1].ID); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a session revoked before", d.Revoke(t.Context(), ada, list[1].ID), postroom.NotFound)
	_, _, err = d.Session(t.Context(), first)
	wantKind(t, "the revoked session", err, postroom.Unauthenticated)
	if _, _, err := d.Session(t.Context(), second); err != nil {
		t.Error(err)
	}
	if list, err := d.Sessions(t.Context(), postroom.Viewer{Token: 1}); err != nil || len(list) != 0 {
		t.Errorf("a token's sessions: %v, %v, want none", list, err)
	}
}

func TestTooManyWrongPasswords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Door{Store: openStore(t), passwords: hasher{blank: cheaply}}
		mustCreate(t, d, "ada@example.net", postroom.RoleAgent)
		try := func(email, password, address string) error {
			_, _, err := d.SignIn(t.Context(), email, postroom.Hide(password), Client{Address: address})
			return err
		}
		for range accountTries {
			wantKind(t, "a wrong password", try("ada@example.net", "wrong", "192.0.2.1"), postroom.Unauthenticated)
		}
		err := try("Ada@example.net", rightPassword, "198.51.100.1")
		wantKind(t, "one try more, from elsewhere", err, postroom.TooMany)
		f, _ := postroom.FaultOf(err)
		if f == nil || f.RetryAfter <= 0 || f.RetryAfter > accountEach {
			t.Fatalf("the fault %+v does not say when to try again", f)
		}
		time.Sleep(f.RetryAfter - time.Microsecond)
		wantKind(t, "a moment too early", try("ada@example.net", rightPassword, "192.0.2.1"), postroom.TooMany)
		time.Sleep(time.Microsecond)
		if err := try("ada@example.net", rightPassword, "192.0.2.1"); err != nil {
			t.Fatalf("in time: %v", err)
		}
		for range accountTries {
			wantKind(t, "after a success", try("ada@example.net", "wrong", "192.0.2.1"), postroom.Unauthenticated)
		}
		if err := d.SetPassword(t.Context(), "ada@example.net", postroom.Hide(rightPassword)); err != nil {
			t.Fatal(err)
		}
		if err := try("ada@example.net", rightPassword, "192.0.2.1"); err != nil {
			t.Errorf("with a new password: %v", err)
		}
	})
}

func TestTooManyFromOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Door{Store: openStore(t), passwords: hasher{blank: cheaply}}
		mustCreate(t, d, "ada@example.net", postroom.RoleAgent)
		try := func(email, password, address string) error {
			_, _, err := d.SignIn(t.Context(), email, postroom.Hide(password), Client{Address: address})
			return err
		}
		for range 100 { // a whole office on a Monday morning
			if err := try("ada@example.net", rightPassword, "2001:db8:1:2::1"); err != nil {
				t.Fatal(err)
			}
		}
		for i := range addressTries {
			wantKind(t, "a guess", try(string(rune('a'+i%26))+strings.Repeat("x", i)+"@example.net", "guess", "2001:db8:1:2::3"), postroom.Unauthenticated)
		}
		wantKind(t, "from the same network", try("ada@example.net", rightPassword, "2001:db8:1:2:ffff::4"), postroom.TooMany)
		if err := try("ada@example.net", rightPassword, "2001:db8:1:3::1"); err != nil {
			t.Errorf("from another network: %v", err)
		}
		time.Sleep(addressEach)
		if err := try("ada@example.net", rightPassword, "2001:db8:1:2::1"); err != nil {
			t.Errorf("after a while: %v", err)
		}
	})
}

func TestTriesAreForgottenInTime(t *testing.T) {
	var tr tries
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	a := allowance{2, time.Minute}
	for i := range maxTriers * 2 {
		tr.take(string(rune(i+0x10000)), a, start.Add(time.Duration(i)*time.Millisecond))
		if len(tr.full) > maxTriers {
			t.Fatalf("%d are remembered, want at most %d", len(tr.full), maxTriers)
		}
	}
	tr.take("late", a, start.Add(time.Hour))
	if len(tr.full) != 1 {
		t.Errorf("an hour later %d are remembered, want the one that has failed since", len(tr.full))
	}
}

func TestWaitInWords(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		time.Nanosecond:         "1 second",
		time.Second:             "1 second",
		1100 * time.Millisecond: "2 seconds",
		90 * time.Second:        "90 seconds",
		91 * time.Second:        "2 minutes",
		time.Hour:               "60 minutes",
	} {
		if got := inWords(wait); got != want {
			t.Errorf("inWords(%v) = %q, want %q", wait, got, want)
		}
	}
}

func TestAddressKeys(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":         "address 192.0.2.1",
		"::ffff:192.0.2.1":  "address 192.0.2.1",
		"2001:db8::1":       "network 2001:db8::/64",
		"2001:db8::2:0:0:1": "network 2001:db8::/64",
		"fe80::1%eth0":      "network fe80::/64",
		"":                  "",
		"somewhere":         "",
	} {
		if got := addressKey(address); got != want {
			t.Errorf("addressKey(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestSignInSurvivesAFailingStore(t *testing.T) {
	d, _ := newDoor(t)
	broken := errors.New("the disk is gone")
	d.Store = brokenStore{d.Store, broken}
	if _, _, err := d.SignIn(t.Context(), "ada@example.net", postroom.Hide(rightPassword), somewhere); !errors.Is(err, broken) || postroom.KindOf(err) != postroom.Internal {
		t.Errorf("SignIn = %v, want the store's failure and no fault", err)
	}
}
