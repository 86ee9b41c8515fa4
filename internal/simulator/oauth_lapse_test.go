package simulator

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/oauth"
)

const day = 24 * time.Hour

func TestAGrantIsOverWhenItsOwnerEndsIt(t *testing.T) {
	t.Parallel()
	bothKinds(t, func(q *signInSetup) {
		g := q.signIn()
		q.server.Revoke(anna, "")
		_, err := q.refresh(g)
		q.wantCode(err, "invalid_grant", map[bool]string{true: "AADSTS50173", false: "Token has been expired or revoked."}[q.server.isMicrosoft()])
		if n := q.server.Grants(anna); n != 0 {
			q.Errorf("%d grants are left", n)
		}
		g = q.signIn()
		q.provider.AddAccount(anna, password) // the same again
		if _, err := q.refresh(g); err != nil {
			q.Error(err)
		}
		q.provider.AddAccount(anna, "another")
		_, err = q.refresh(g)
		q.wantCode(err, "invalid_grant", "")
	})
}

func TestAnAppInTestingLosesItsGrantsAfterSevenDays(t *testing.T) {
	t.Parallel()
	q := newSignIn(t, OAuthOptions{})
	q.server.SetTesting(true)
	g := q.signIn()
	if left := g.RefreshExpires.Sub(q.clock.now()); left != 7*day {
		t.Errorf("the refresh token says that it lasts %v", left)
	}
	q.clock.pass(7*day - time.Second)
	if _, err := q.refresh(g); err != nil {
		t.Error(err)
	}
	q.clock.pass(time.Second)
	_, err := q.refresh(g)
	q.wantCode(err, "invalid_grant", "Token has been expired or revoked.")
}

func TestARefreshTokenEndsUnused(t *testing.T) {
	t.Parallel()
	bothKinds(t, func(q *signInSetup) {
		g := q.signIn()
		limit := q.server.idleLimit()
		for range 3 {
			q.clock.pass(limit - time.Second)
			next, err := q.refresh(g)
			if err != nil {
				q.Fatal(err)
			}
			g = next
		}
		q.clock.pass(limit)
		_, err := q.refresh(g)
		q.wantCode(err, "invalid_grant", map[bool]string{true: "AADSTS700082"}[q.server.isMicrosoft()])
	})
}

func TestAReplacedRefreshTokenWorksForItsGrace(t *testing.T) {
	t.Parallel()
	q := newSignIn(t, OAuthOptions{Rotation: RotateWithGrace, Grace: time.Minute})
	old := q.signIn()
	next, err := q.refresh(old)
	if err != nil || !next.Rotated {
		t.Fatalf("rotated %v, %v", next.Rotated, err)
	}
	q.clock.pass(time.Minute - time.Second)
	if _, err := q.refresh(old); err != nil {
		t.Errorf("within its grace: %v", err)
	}
	q.clock.pass(time.Second)
	_, err = q.refresh(old)
	q.wantCode(err, "invalid_grant", "")
	if _, err := q.refresh(next); err != nil {
		t.Errorf("the new one, after that: %v", err)
	}
}

func TestStrictRotationEndsAGrantWhoseTokenComesTwice(t *testing.T) {
	t.Parallel()
	q := newSignIn(t, OAuthOptions{Rotation: RotateStrict})
	g := q.signIn()
	for range 365 {
		q.clock.pass(day)
		next, err := q.refresh(g)
		if err != nil || !next.Rotated {
			t.Fatalf("rotated %v, %v", next.Rotated, err)
		}
		g = next
	}
	next, err := q.refresh(g)
	if err != nil {
		t.Fatal(err)
	}
	_, err = q.refresh(g)
	q.wantCode(err, "invalid_grant", "")
	_, err = q.refresh(next)
	q.wantCode(err, "invalid_grant", "")
}

func TestTheTokenEndpointGoesWrong(t *testing.T) {
	t.Parallel()
	q := newSignIn(t, OAuthOptions{Rotation: RotateStrict})
	g := q.signIn()
	q.server.SetFaults(OAuthFaults{For: []string{"refresh_token"}, Times: 1, Status: 503},
		OAuthFaults{For: []string{"refresh_token"}, Times: 1, Status: 429, Body: `{"error":"slow"}`, RetryAfter: 17 * time.Second},
		OAuthFaults{Times: 1, Status: 502, Body: BadGateway, ContentType: "text/html"},
		OAuthFaults{Times: 1, Body: `{"access_token":`},
		OAuthFaults{Times: 1, Reset: true})
	refused := func() *oauth.Refusal {
		t.Helper()
		_, err := q.refresh(g)
		r, ok := oauth.RefusalOf(err)
		if !ok {
			t.Fatalf("no refusal: %v", err)
		}
		return r
	}
	if r := refused(); r.Status != 503 {
		t.Errorf("503: %v", r)
	}
	if r := refused(); r.Status != 429 || r.RetryAfter != 17*time.Second {
		t.Errorf("429: %v, again after %v", r, r.RetryAfter)
	}
	if r := refused(); !errors.Is(r, oauth.ErrPage) || !strings.Contains(r.Reply, "502 Bad Gateway") {
		t.Errorf("a page: %v", r)
	}
	if r := refused(); !errors.Is(r, io.ErrUnexpectedEOF) {
		t.Errorf("half an answer: %v", r)
	}
	if r := refused(); r.Status != 0 || r.Err == nil {
		t.Errorf("a reset: %v", r)
	}
	q.server.SetFaults(OAuthFaults{For: []string{"refresh_token"}, Times: 1, Hang: true})
	q.client.Timeout = 50 * time.Millisecond
	if r := refused(); r.Status != 0 {
		t.Errorf("no answer: %v", r)
	}
	q.client.Timeout = 0
	g, err := q.refresh(g) // nothing of all that has spent the token
	if err != nil {
		t.Fatal(err)
	}
	q.server.SetFaults(OAuthFaults{Times: 1, Carried: true, Reset: true})
	_, _ = q.refresh(g) // the answer is lost
	_, err = q.refresh(g)
	q.wantCode(err, "invalid_grant", "")
}

func TestTheOwnerOfAnAccountTakesBackWhatWasAllowed(t *testing.T) {
	t.Parallel()
	bothKinds(t, func(q *signInSetup) {
		g := q.signIn()
		q.freshBrowser()
		v := q.enter(q.open(q.server.PermissionsURL), "identifier", anna)
		if v = q.enter(v, "password", password); !strings.Contains(v.text, `id="remove-0" name="remove" value="`+appID+`"`) {
			q.Fatalf("the page is %s", v.text)
		}
		if _, err := q.refresh(g); err != nil {
			q.Error(err)
		}
		if v = q.enter(v, "remove", appID); !strings.Contains(v.text, `id="none"`) {
			q.Errorf("afterwards the page is %s", v.text)
		}
		_, err := q.refresh(g)
		q.wantCode(err, "invalid_grant", "")
	})
}
