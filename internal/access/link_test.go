package access

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/postroom/postroom"
)

func TestFirstLinkLetsTheFirstAdministratorIn(t *testing.T) {
	d, _ := newDoor(t)
	ctx := t.Context()
	old, needed, err := d.FirstLink(ctx)
	if err != nil || !needed {
		t.Fatal(needed, err)
	}
	link, _, err := d.FirstLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	use := func(secret, email, password string) error {
		_, _, err := d.UseFirstLink(ctx, secret, email, "Ada", postroom.Hide(password), somewhere)
		return err
	}
	wantKind(t, "a replaced link", use(old.Reveal(), "ada@example.net", rightPassword), postroom.Conflict)
	wantKind(t, "an invented link", use(strings.Repeat("A", secretLength), "ada@example.net", rightPassword), postroom.Conflict)
	wantKind(t, "no link", use("", "ada@example.net", rightPassword), postroom.Conflict)
	wantKind(t, "a bad address", use(link.Reveal(), "ada", rightPassword), postroom.Invalid)
	wantKind(t, "a bad password", use(link.Reveal(), "ada@example.net", "short"), postroom.Invalid)
	mustCreate(t, d, "zoe@example.net", postroom.RoleAgent)
	wantKind(t, "a taken address", use(link.Reveal(), "zoe@example.net", rightPassword), postroom.Conflict)
	if err := d.CheckFirstLink(ctx, link.Reveal()); err != nil {
		t.Fatalf("after refusals: %v", err)
	}

	cookie, u, err := d.UseFirstLink(ctx, link.Reveal(), "ada@example.net", "Ada", postroom.Hide(rightPassword), somewhere)
	if err != nil || u.Role != postroom.RoleAdmin {
		t.Fatal(u, err)
	}
	if v, _, err := d.Session(ctx, cookie.Reveal()); err != nil || v.User != u.ID || !v.IsAdmin() {
		t.Errorf("the session is of %+v, %v", v, err)
	}
	mustSignIn(t, d, "ada@example.net")
	wantKind(t, "a used link", use(link.Reveal(), "eve@example.net", rightPassword), postroom.Conflict)
	wantKind(t, "looking at a used link", d.CheckFirstLink(ctx, link.Reveal()), postroom.Conflict)
	if secret, needed, err := d.FirstLink(ctx); needed || err != nil || !secret.IsEmpty() {
		t.Errorf("with an administrator: %v, %v, want no link", needed, err)
	}
}

func TestFirstLinkExpires(t *testing.T) {
	d, c := newDoor(t)
	link, _, err := d.FirstLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.pass(FirstLinkLasts)
	wantKind(t, "an old link", d.CheckFirstLink(t.Context(), link.Reveal()), postroom.Conflict)
}

func TestOfTwoClicksOneWins(t *testing.T) {
	d, _ := newDoor(t)
	link, _, err := d.FirstLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wg.Go(func() {
			_, _, errs[i] = d.UseFirstLink(t.Context(), link.Reveal(), fmt.Sprintf("user%d@example.net", i), "", postroom.Hide(rightPassword), somewhere)
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantKind(t, "the slower click", err, postroom.Conflict)
	}
	if won != 1 {
		t.Errorf("%d won, want 1", won)
	}
}

func TestSignInLinkOpensAnyNumberOfTimes(t *testing.T) {
	d, _ := newDoor(t)
	ctx := t.Context()
	root := mustCreate(t, d, "root@example.net", postroom.RoleAdmin)
	ada := mustCreate(t, d, "ada@example.net", postroom.RoleAgent)
	_, err := d.SignInLink(ctx, 12345)
	wantKind(t, "a link for nobody", err, postroom.NotFound)
	link, err := d.SignInLink(ctx, ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for range 3 {
		cookie, u, err := d.OpenLink(ctx, link.Reveal(), somewhere)
		if err != nil || u.ID != ada.ID {
			t.Fatal(u, err)
		}
		if v, _, err := d.Session(ctx, cookie.Reveal()); err != nil || v.User != ada.ID {
			t.Fatal(v, err)
		}
		seen[cookie.Reveal()] = true
	}
	if len(seen) != 3 {
		t.Errorf("three uses gave %d cookies", len(seen))
	}
	for _, secret := range []string{"", "x", strings.Repeat("A", secretLength)} {
		_, _, err := d.OpenLink(ctx, secret, somewhere)
		wantKind(t, "an invented link", err, postroom.NotFound)
	}
	_, _, err = (&Door{Store: d.Store}).OpenLink(ctx, link.Reveal(), somewhere)
	wantKind(t, "the link in another process", err, postroom.NotFound)
	if err := d.Disable(ctx, ViewerOf(root), ada.ID); err != nil {
		t.Fatal(err)
	}
	_, _, err = d.OpenLink(ctx, link.Reveal(), somewhere)
	wantKind(t, "the link of a disabled user", err, postroom.NotFound)
}
