package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func refusal() *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.NeedsSignIn, Class: postroom.BadCredentials, FixBy: postroom.FixByUser,
		Explanation: "The server refused this password.", Remedy: "Enter it again.",
		Field: "credential.password", Reply: "NO \x00[AUTHENTICATIONFAILED] \xff", RetryAfter: 2 * time.Second,
	}
}

// prove makes a mailbox active, as the proof does.
func prove(t *testing.T, db *DB, id postroom.MailboxID) {
	t.Helper()
	err := db.commit(context.Background(), func(t *tx) error {
		return t.exec(`update mailbox set state = 'active', proven_at = db_now() where id = $1`, int64(id))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTroubleIsKeptAndHealthClearsIt(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		m := addMailbox(t, db, supportMailbox())
		prove(t, db, m.ID)
		f := takenBy(t, db, m.ID)
		version := mustKeep(t, db, m.ID).Version
		next := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		trouble := Trouble{State: postroom.MailboxNeedsSignIn, Fault: refusal(), NextTry: next, Failures: 3}
		for range 2 {
			if err := db.RecordTrouble(ctx, f, version, trouble); err != nil {
				t.Fatal(err)
			}
		}
		k := mustKeep(t, db, m.ID)
		want := refusal()
		want.Reply = "NO [AUTHENTICATIONFAILED] \uFFFD"
		if k.State != postroom.MailboxNeedsSignIn || k.Failures != 3 || !k.NextTryAt.Equal(next) || !cmp.Equal(k.Fault, want) {
			t.Errorf("kept %+v with fault %+v", k, k.Fault)
		}
		if got := eventsOf(t, db, m.ID); len(got) != 2 {
			t.Errorf("events %v, want one for adding and one for the trouble, which came twice", got)
		}
		if err := db.RecordHealth(ctx, f, version); err != nil {
			t.Fatal(err)
		}
		k = mustKeep(t, db, m.ID)
		if k.State != postroom.MailboxActive || k.Fault != nil || !k.NextTryAt.IsZero() || k.Failures != 0 || k.Version != version {
			t.Errorf("kept %+v, want an active mailbox without trouble", k)
		}
		c, err := db.Credential(ctx, m.ID)
		if err != nil || c.WorkedAt.IsZero() {
			t.Errorf("credential worked at %v, %v, want now", c.WorkedAt, err)
		}
	})
}

func TestTroubleThatComesTooLateIsNotRecorded(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		m := addMailbox(t, db, supportMailbox())
		prove(t, db, m.ID)
		f := takenBy(t, db, m.ID)
		version := mustKeep(t, db, m.ID).Version
		if err := db.SaveCredential(ctx, m.ID, NewCredential{"app_password", sealed("new")}); err != nil {
			t.Fatal(err)
		}
		late := Trouble{State: postroom.MailboxNeedsSignIn, Fault: refusal(), Failures: 1}
		if err := db.RecordTrouble(ctx, f, version, late); err != nil {
			t.Fatal(err)
		}
		if k := mustKeep(t, db, m.ID); k.State != postroom.MailboxActive || k.Fault != nil {
			t.Errorf("the old password's refusal hides the new one: %+v", k)
		}
		if err := db.PauseMailbox(ctx, m.ID); err != nil {
			t.Fatal(err)
		}
		if err := db.RecordTrouble(ctx, f, mustKeep(t, db, m.ID).Version, late); err != nil {
			t.Fatal(err)
		}
		if k := mustKeep(t, db, m.ID); k.State != postroom.MailboxPaused || k.Fault != nil {
			t.Errorf("the trouble ended the pause: %+v", k)
		}
		f.Epoch++
		if err := db.RecordTrouble(ctx, f, version, late); !errors.Is(err, ErrFenced) {
			t.Errorf("error %v, want ErrFenced for another epoch", err)
		}
	})
}

func TestDraftStaysDraftUntilProven(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		m := addMailbox(t, db, supportMailbox())
		f := takenBy(t, db, m.ID)
		trouble := Trouble{State: postroom.MailboxNeedsSignIn, Fault: refusal(), Failures: 1}
		if err := db.RecordTrouble(ctx, f, 1, trouble); err != nil {
			t.Fatal(err)
		}
		if k := mustKeep(t, db, m.ID); k.State != postroom.MailboxDraft || k.Fault == nil {
			t.Errorf("kept %+v, want a draft with its fault", k)
		}
		if err := db.RecordHealth(ctx, f, 1); err != nil {
			t.Fatal(err)
		}
		if k := mustKeep(t, db, m.ID); k.State != postroom.MailboxDraft || k.Fault != nil {
			t.Errorf("kept %+v, want a draft without a fault", k)
		}
	})
}

func TestPauseAndResume(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		m := addMailbox(t, db, supportMailbox())
		f := takenBy(t, db, m.ID)
		pauseAndResume := func(want postroom.MailboxState) {
			t.Helper()
			for range 2 {
				if err := db.PauseMailbox(ctx, m.ID); err != nil {
					t.Fatal(err)
				}
			}
			if k := mustKeep(t, db, m.ID); k.State != postroom.MailboxPaused || !k.NextTryAt.IsZero() {
				t.Fatalf("kept %+v, want a paused mailbox", k)
			}
			if err := db.ResumeMailbox(ctx, m.ID); err != nil {
				t.Fatal(err)
			}
			if k := mustKeep(t, db, m.ID); k.State != want {
				t.Fatalf("state %s after resume, want %s", k.State, want)
			}
		}
		pauseAndResume(postroom.MailboxDraft)
		prove(t, db, m.ID)
		pauseAndResume(postroom.MailboxActive)

		version := mustKeep(t, db, m.ID).Version
		if err := db.ResumeMailbox(ctx, m.ID); err != nil || mustKeep(t, db, m.ID).Version != version {
			t.Errorf("resuming an active mailbox did something: %v", err)
		}
		trouble := Trouble{State: postroom.MailboxNeedsSignIn, Fault: refusal(), NextTry: time.Now().Add(time.Hour), Failures: 4}
		if err := db.RecordTrouble(ctx, f, version, trouble); err != nil {
			t.Fatal(err)
		}
		if err := db.ResumeMailbox(ctx, m.ID); err != nil {
			t.Fatal(err)
		}
		if k := mustKeep(t, db, m.ID); k.State != postroom.MailboxDelayed || !k.NextTryAt.IsZero() || k.Failures != 0 || k.Fault == nil {
			t.Errorf("kept %+v, want a delayed mailbox that is tried at once and still shows what was wrong", k)
		}
		wantKind(t, db.PauseMailbox(ctx, m.ID+1), postroom.NotFound)
		wantKind(t, db.ResumeMailbox(ctx, m.ID+1), postroom.NotFound)
	})
}

func TestNewPasswordReopensARefusedMailbox(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		m := addMailbox(t, db, supportMailbox())
		prove(t, db, m.ID)
		f := takenBy(t, db, m.ID)
		trouble := Trouble{State: postroom.MailboxNeedsSignIn, Fault: refusal(), Failures: 4}
		if err := db.RecordTrouble(ctx, f, 1, trouble); err != nil {
			t.Fatal(err)
		}
		m = mustKeep(t, db, m.ID).Mailbox
		changed, err := db.ChangeMailbox(ctx, m, MailboxChange{
			Seen: m.UpdatedAt, Reopen: true, Credential: &NewCredential{"app_password", sealed("new")},
		})
		if err != nil || changed.State != postroom.MailboxDelayed || changed.Fault != nil || !changed.NextTryAt.IsZero() {
			t.Errorf("changed %+v, %v, want it delayed and tried at once, without the old fault", changed, err)
		}
		if c, err := db.Credential(ctx, m.ID); err != nil || c.Kind != "app_password" || string(c.Sealed) != "new of "+m.ID.String() {
			t.Errorf("credential %+v, %v, want the new one", c, err)
		}
	})
}
