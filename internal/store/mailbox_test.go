package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func sealed(text string) func(postroom.MailboxID) ([]byte, error) {
	return func(id postroom.MailboxID) ([]byte, error) { return []byte(text + " of " + id.String()), nil }
}

// supportMailbox has a value in every setting.
func supportMailbox() postroom.Mailbox {
	server := postroom.ServerSettings{
		Host: "imap.example.net", Port: 993, TLS: postroom.TLSImplicit, Username: "support@example.net",
		CACertificate: "-----BEGIN", PinnedSHA256: "ab12",
	}
	return postroom.Mailbox{
		Name: "Support", Address: "Support@Example.net",
		Incoming: postroom.IncomingSettings{
			ServerSettings: server, Protocol: postroom.IMAP, Folders: []string{"INBOX", "Größe"},
			ConnectTimeout: 10 * time.Second, AuthTimeout: 5500 * time.Millisecond, PollInterval: time.Minute,
		},
		Outgoing:    &postroom.OutgoingSettings{ServerSettings: server},
		Start:       postroom.Start{Kind: postroom.StartDate, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		AfterImport: postroom.AfterImportMove, MoveTo: "Done",
		Visibility: postroom.Visibility{Kind: postroom.VisibleToEveryone},
	}
}

func addMailbox(t *testing.T, db *DB, m postroom.Mailbox) postroom.Mailbox {
	t.Helper()
	m, err := db.AddMailbox(context.Background(), m, "password", sealed("secret"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// addPerson makes a user of no further interest.
func addPerson(t *testing.T, db *DB, email string) (id postroom.UserID) {
	t.Helper()
	err := db.commit(context.Background(), func(t *tx) error {
		return t.row(`insert into app_user (email, name, role, password_hash, created_at)
			values ($1, $1, 'agent', '', db_now()) returning id`, email).Scan(&id)
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// takenBy has a node read the mailbox.
func takenBy(t *testing.T, db *DB, id postroom.MailboxID) Fence {
	t.Helper()
	ctx := context.Background()
	node, err := db.JoinNode(ctx, "one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.TakeLeases(ctx, node); err != nil {
		t.Fatal(err)
	}
	owned, err := db.OwnedMailboxes(ctx, node)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range owned {
		if o.Fence.Mailbox == id {
			return o.Fence
		}
	}
	t.Fatalf("node %s does not own mailbox %s", node, id)
	return Fence{}
}

func mustKeep(t *testing.T, db *DB, id postroom.MailboxID) KeptMailbox {
	t.Helper()
	k, err := db.KeptMailbox(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func eventsOf(t *testing.T, db *DB, id postroom.MailboxID) (ids []string) {
	t.Helper()
	rows, err := db.query(context.Background(), `select id from event where mailbox = $1 order by position`, int64(id))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var event string
		if err := rows.Scan(&event); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, event)
	}
	return ids
}

func wantKind(t *testing.T, err error, want postroom.Kind) {
	t.Helper()
	if err == nil || postroom.KindOf(err) != want {
		t.Fatalf("error %v, want one of kind %q", err, want)
	}
}

func TestMailboxIsReadAsItWasWritten(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		owner, reader := addPerson(t, db, "owner@example.net"), addPerson(t, db, "reader@example.net")
		m := supportMailbox()
		m.Owner = owner
		m.Visibility = postroom.Visibility{Kind: postroom.VisibleToUsers, Users: []postroom.UserID{reader, owner}}
		added := addMailbox(t, db, m)
		if added.State != postroom.MailboxDraft || added.Address != "support@example.net" || added.CreatedAt.IsZero() {
			t.Fatalf("added %+v, want a draft with an address in lower case", added)
		}
		read, err := db.Mailbox(ctx, added.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(added, read); diff != "" {
			t.Errorf("read is not what was added: %s", diff)
		}
		byAddress, err := db.MailboxByAddress(ctx, "SUPPORT@example.NET")
		if err != nil || byAddress.ID != added.ID {
			t.Errorf("MailboxByAddress = %v, %v, want mailbox %s", byAddress.ID, err, added.ID)
		}
		c, err := db.Credential(ctx, added.ID)
		if err != nil || c.Kind != "password" || string(c.Sealed) != "secret of "+added.ID.String() || !c.WorkedAt.IsZero() {
			t.Errorf("Credential = %+v, %v, want one sealed for the id, that never worked", c, err)
		}
		var readers, leases int
		if err := db.queryRow(ctx, `select count(*) from mailbox_reader where mailbox = $1`, int64(added.ID)).Scan(&readers); err != nil || readers != 2 {
			t.Errorf("%d readers, %v, want 2", readers, err)
		}
		if err := db.queryRow(ctx, `select count(*) from lease where mailbox = $1 and node is null and epoch = 0`, int64(added.ID)).Scan(&leases); err != nil || leases != 1 {
			t.Errorf("%d free leases, %v, want 1", leases, err)
		}
		if got := eventsOf(t, db, added.ID); len(got) != 1 {
			t.Errorf("events %v, want one", got)
		}
		_, err = db.Mailbox(ctx, added.ID+1)
		wantKind(t, err, postroom.NotFound)
	})
}

func TestAddressIsConnectedOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		first := addMailbox(t, db, supportMailbox())
		_, err := db.AddMailbox(ctx, supportMailbox(), "password", sealed("x"))
		wantKind(t, err, postroom.Conflict)
		if f, _ := postroom.FaultOf(err); f.Field != "address" || f.Explanation != "support@example.net is connected already, under the name “Support”." {
			t.Errorf("fault %+v", f)
		}
		if err := db.DeleteMailbox(ctx, first.ID, false); err != nil {
			t.Fatal(err)
		}
		addMailbox(t, db, supportMailbox())
	})
}

func TestSealThatFailsAddsNothing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		broken := errors.New("no key")
		_, err := db.AddMailbox(ctx, supportMailbox(), "password", func(postroom.MailboxID) ([]byte, error) { return nil, broken })
		if !errors.Is(err, broken) {
			t.Fatalf("error %v, want the one of the seal", err)
		}
		if list, _, err := db.Mailboxes(ctx, MailboxFilter{}); err != nil || len(list) != 0 {
			t.Errorf("%d mailboxes, %v, want none", len(list), err)
		}
	})
}

func TestMailboxesAreListedByNameInPages(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		for i := range 7 {
			m := supportMailbox()
			m.Name, m.Address = fmt.Sprintf("Box %d", (i*3)%7/2), fmt.Sprintf("box_%d@example.net", i)
			addMailbox(t, db, m)
		}
		var names []string
		seen := map[postroom.MailboxID]bool{}
		for cursor, pages := "", 0; ; pages++ {
			list, next, err := db.Reader().Mailboxes(ctx, MailboxFilter{Limit: 3, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range list {
				names = append(names, m.Name)
				seen[m.ID] = true
			}
			if cursor = next; next == "" {
				if pages != 2 {
					t.Errorf("%d pages, want 3", pages+1)
				}
				break
			}
		}
		if want := []string{"Box 0", "Box 0", "Box 1", "Box 1", "Box 2", "Box 2", "Box 3"}; !cmp.Equal(names, want) || len(seen) != 7 {
			t.Errorf("names %v (%d different mailboxes), want %v", names, len(seen), want)
		}
		for query, want := range map[string]int{"box_": 7, "BOX 3": 1, "x_3@": 1, "x%3": 0, "": 7} {
			if list, _, err := db.Mailboxes(ctx, MailboxFilter{Query: query}); err != nil || len(list) != want {
				t.Errorf("Mailboxes(%q) found %d, %v, want %d", query, len(list), err, want)
			}
		}
		if list, _, err := db.Mailboxes(ctx, MailboxFilter{State: postroom.MailboxActive}); err != nil || len(list) != 0 {
			t.Errorf("%d active, %v, want none", len(list), err)
		}
		_, _, err := db.Mailboxes(ctx, MailboxFilter{Cursor: "made up"})
		wantKind(t, err, postroom.Invalid)
	})
}

func TestChangeRaisesTheVersionAndNoticesAnother(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		reader := addPerson(t, db, "reader@example.net")
		added := addMailbox(t, db, supportMailbox())
		m := added
		m.Name, m.Incoming.Host, m.Outgoing = "Help", "mail.example.net", nil
		m.Visibility = postroom.Visibility{Kind: postroom.VisibleToUsers, Users: []postroom.UserID{reader}}
		changed, err := db.ChangeMailbox(ctx, m, MailboxChange{Seen: added.UpdatedAt})
		if err != nil {
			t.Fatal(err)
		}
		kept := mustKeep(t, db, added.ID)
		if diff := cmp.Diff(changed, kept.Mailbox); diff != "" || kept.Version != 2 || kept.Name != "Help" || kept.Outgoing != nil {
			t.Errorf("kept %+v, want version 2 of what was written: %s", kept, diff)
		}
		var everyone bool
		var key string
		if err := db.queryRow(ctx, `select everyone, visibility_key from mailbox where id = $1`, int64(m.ID)).Scan(&everyone, &key); err != nil || everyone || key != "users:"+reader.String() {
			t.Errorf("everyone %v, key %q, %v", everyone, key, err)
		}
		_, err = db.ChangeMailbox(ctx, m, MailboxChange{Seen: added.UpdatedAt})
		wantKind(t, err, postroom.Conflict)
		if got := eventsOf(t, db, m.ID); len(got) != 2 {
			t.Errorf("events %v, want two", got)
		}
		m.ID += 100
		_, err = db.ChangeMailbox(ctx, m, MailboxChange{Seen: added.UpdatedAt})
		wantKind(t, err, postroom.NotFound)
	})
}

func TestUnknownUsers(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		known := addPerson(t, db, "known@example.net")
		unknown, err := db.UnknownUsers(context.Background(), []postroom.UserID{known, 4711})
		if err != nil || !cmp.Equal(unknown, []postroom.UserID{4711}) {
			t.Errorf("UnknownUsers = %v, %v, want 4711", unknown, err)
		}
	})
}

func TestSettings(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		if _, ok, err := db.Setting(ctx, "sample"); ok || err != nil {
			t.Errorf("an unset setting is %v, %v, want not there", ok, err)
		}
		for _, value := range []string{"one", "two"} {
			if err := db.SetSetting(ctx, "sample", value); err != nil {
				t.Fatal(err)
			}
			if got, ok, err := db.Setting(ctx, "sample"); got != value || !ok || err != nil {
				t.Errorf("Setting = %q, %v, %v, want %q", got, ok, err, value)
			}
		}
		if held, err := db.SetSettingOnce(ctx, "sample", "three"); held != "two" || err != nil {
			t.Errorf("SetSettingOnce = %q, %v, want the value that was there", held, err)
		}
	})
}
