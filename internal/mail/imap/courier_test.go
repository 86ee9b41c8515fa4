package imap

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/testbed"
)

func TestCourier(t *testing.T) {
	const bert = "bert@example.net"
	d := testbed.Courier(t, map[string]string{anna: password, bert: password})
	letters := lettersOf(60)
	d.Deliver(anna, "INBOX", letters...)
	options := func(policy postroom.TLSPolicy) Options {
		o := Options{
			Endpoint: mail.Endpoint{Host: d.Host, Port: d.IMAPPort, TLS: policy, CACertificate: d.CAPEM, AuthTimeout: 20 * time.Second},
			Login:    mail.Login{Username: anna, Secret: postroom.Hide(password)},
		}
		if policy == postroom.TLSImplicit {
			o.Endpoint.Port = d.IMAPSPort
		}
		return o
	}
	t.Run("numbers that nobody has written down", func(t *testing.T) {
		c := open(t, options(postroom.TLSNone))
		first, err := c.Examine(t.Context(), "INBOX")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(1100 * time.Millisecond) // Courier takes the time for UIDVALIDITY, in seconds
		if second, err := c.Examine(t.Context(), "INBOX"); err != nil || second.UIDValidity == first.UIDValidity {
			t.Errorf("Examine = %+v, then %+v, %v: Settle is not needed any more", first, second, err)
		}
	})
	for _, policy := range []postroom.TLSPolicy{postroom.TLSNone, postroom.TLSStart, postroom.TLSImplicit} {
		t.Run(string(policy), func(t *testing.T) { seeAll(t, open(t, options(policy)), letters) })
	}
	t.Run("a wrong password", func(t *testing.T) {
		t.Parallel() // Courier thinks about it for five seconds
		o := options(postroom.TLSImplicit)
		o.Secret = postroom.Hide("wrong")
		if r := refusalOfOpen(t, o); r.Phase != mail.PhaseAuth || r.Reply == "" || r.Err != nil {
			t.Errorf("refusal = %+v", r)
		}
	})
	t.Run("news", func(t *testing.T) {
		t.Parallel()
		hearNews(t, open(t, options(postroom.TLSImplicit)), len(letters), func() { d.Deliver(anna, "INBOX", letters[0]) })
	})
	t.Run("after import", func(t *testing.T) {
		t.Parallel()
		d.Deliver(bert, "INBOX", letters[:5]...)
		o := options(postroom.TLSImplicit)
		o.Username = bert
		copyAndRemove(t, open(t, o))
		if got := d.Messages(bert, "INBOX"); !slices.EqualFunc(got, letters[2:4], bytes.Equal) {
			t.Errorf("in the inbox there is %q", got)
		}
		if got := d.Messages(bert, "Erledigt/März & Co"); !slices.EqualFunc(got, letters[:2], bytes.Equal) {
			t.Errorf("in the archive there is %q", got)
		}
	})
}

// copyAndRemove moves two of five messages of a server without MOVE to a folder
// that is not there, and deletes the last one.
func copyAndRemove(t *testing.T, c *Client) {
	t.Helper()
	const archive = "Erledigt/März & Co"
	ctx := t.Context()
	if c.Has("MOVE") || !c.Has("UIDPLUS") {
		t.Errorf("capabilities = %q", c.capabilities)
	}
	if _, err := c.Select(ctx, "INBOX"); err != nil {
		t.Fatal(err)
	}
	if err := c.Copy(ctx, []uint32{1, 2}, archive); !MayLackFolder(err) || !c.Usable() {
		t.Errorf("a copy to where nothing is: %v", err)
	}
	for _, step := range []func() error{
		func() error { return c.Create(ctx, archive) },
		func() error { return c.Create(ctx, archive) },
		func() error { return c.Copy(ctx, []uint32{1, 2}, archive) },
		func() error { return c.Store(ctx, []uint32{1, 2, 4, 5}, true, `\Deleted`) },
		func() error { return c.Expunge(ctx, []uint32{1, 2, 5}) },
		func() error { _, err := c.Examine(ctx, archive); return err },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if copies, err := c.CopiesOf(ctx, "<1@example.com>", 0); err != nil || len(copies) != 1 {
		t.Errorf("CopiesOf = %v, %v", copies, err)
	}
}
