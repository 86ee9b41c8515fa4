package mailbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/store"
)

// shelf takes unknown replies, unless it is broken.
type shelf struct {
	taken  []store.UnknownReply
	broken bool
}

func (s *shelf) RecordUnknownReplies(_ context.Context, replies []store.UnknownReply) error {
	if s.broken {
		return errors.New("the disk is full")
	}
	s.taken = append(s.taken, replies...)
	return nil
}

func TestUnknownRepliesAreNotedWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept, counted := &shelf{broken: true}, 0
		u := &UnknownReplies{Store: kept, Counted: func(postroom.Protocol, string) { counted++ }}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- u.Run(ctx) }()
		for range 3 {
			u.Note("imap.example.net", postroom.IMAP, "auth", "NO what")
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		kept.broken = false
		time.Sleep(10 * time.Minute)
		if len(kept.taken) != 1 || kept.taken[0].Count != 3 || kept.taken[0].Last.Sub(kept.taken[0].First) != 2*time.Second || counted != 3 {
			t.Errorf("stored %+v, counted %d", kept.taken, counted)
		}
		for n := range 2 * maxUnknownWaiting {
			u.Note("imap.example.net", postroom.IMAP, "auth", fmt.Sprint("NO ", n))
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if len(kept.taken) != 1+maxUnknownWaiting {
			t.Errorf("%d are stored at the end, want %d", len(kept.taken), 1+maxUnknownWaiting)
		}
	})
}

func TestOnlyWhatNobodyKnowsIsCountedAndNothingOfAPerson(t *testing.T) {
	ctx := context.Background()
	o := store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}
	if err := store.Migrate(ctx, o); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	u := &UnknownReplies{Store: db}
	x := newExplainer()
	x.Unknown = u.Note
	m := plain()
	m.Incoming.Host, m.Incoming.Protocol, m.Incoming.Username = "IMAP.example.net", postroom.IMAP, "support@example.net"
	for _, reply := range []string{
		"NO [AUTHENTICATIONFAILED] no", // known
		"NO the moon is not right for support@example.net hunter22 (id 8831xyz77)",
		"NO the moon is not right for anna@other.example hunter22 (id 9942abc88)",
	} {
		f := x.Explain(&mail.Refusal{Protocol: postroom.IMAP, Phase: mail.PhaseAuth, Reply: reply}, m, password("hunter22"), true)
		if f == nil {
			t.Fatalf("%q is explained by nothing", reply)
		}
	}
	x.Explain(&mail.Refusal{Protocol: postroom.IMAP, Phase: mail.PhaseConnect, Err: errors.New("odd")}, m, password("hunter22"), true)
	if _, _, err := u.turn(ctx); err != nil {
		t.Fatal(err)
	}
	got, err := db.Reader().UnknownReplies(ctx, 10)
	if err != nil || len(got) != 1 {
		t.Fatalf("counted are %+v, %v; want one text", got, err)
	}
	r := got[0]
	if r.Count != 2 || r.Host != "imap.example.net" || r.Phase != "auth" || !strings.HasPrefix(r.Reply, "NO the moon is not right for") {
		t.Errorf("counted is %+v", r)
	}
	for _, secret := range []string{"hunter22", "support", "anna", "8831"} {
		if strings.Contains(r.Reply, secret) {
			t.Errorf("%q tells %q", r.Reply, secret)
		}
	}
}
