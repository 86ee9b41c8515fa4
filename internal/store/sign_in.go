package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A KeptSignIn is a sign-in on its way, with what only those who carry it out need.
type KeptSignIn struct {
	postroom.SignIn
	BrowserHash []byte // of the browser that was sent off; nil: none was
	RedirectURL string
	Scopes      []string // that were asked for
	Sealed      []byte   // nil: spent
	Device      string   // JSON; empty: none
	Answer      string   // about another account than expected; empty: none
	Report      []byte   // JSON; nil: none
	Tries       int      // of proving it
	NextTryAt   time.Time
}

// keptAccount is an account as the account columns hold it.
type keptAccount struct {
	Issuer  string   `json:"issuer,omitempty"`
	Subject string   `json:"subject,omitempty"`
	Tenant  string   `json:"tenant,omitempty"`
	Address string   `json:"address,omitempty"`
	Others  []string `json:"others,omitempty"`
	Name    string   `json:"name,omitempty"`
}

const maxAccountName = 1 << 10 // bytes of one name of an account

func packSignedIn(a postroom.Account) string {
	k := keptAccount{
		Issuer: clip(a.Issuer, maxAccountName), Subject: clip(a.Subject, maxAccountName), Tenant: clip(a.Tenant, maxAccountName),
		Address: clip(a.Address, maxAccountName), Name: clip(a.Name, maxAccountName),
	}
	for _, other := range a.Others {
		k.Others = append(k.Others, clip(other, maxAccountName))
	}
	text, err := json.Marshal(k)
	if err != nil {
		return "{}" // strings always marshal
	}
	return string(text)
}

func unpackSignedIn(text string) (postroom.Account, error) {
	if text == "" {
		return postroom.Account{}, nil
	}
	var k keptAccount
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return postroom.Account{}, fmt.Errorf("unpack who signed in: %w", err)
	}
	return postroom.Account{Issuer: k.Issuer, Subject: k.Subject, Tenant: k.Tenant, Address: k.Address, Others: k.Others, Name: k.Name}, nil
}

// A NewSignIn is a sign-in on its way into the database.
type NewSignIn struct {
	postroom.SignIn
	Start  [32]byte // SHA-256 of the secret by which it begins
	Scopes []string
	Device string // JSON; empty: none
	// NextTryAt is when somebody has to look after it; zero: nobody has to.
	NextTryAt time.Time
	// Seal makes what is kept of its secrets; nil: there are none. It is called within
	// the commit, maybe twice, and must not wait for anything.
	Seal func(postroom.SignInID) ([]byte, error)
}

const (
	// The mailbox is read in the same commit; the highest arrival of all stands for its
	// newest, which is found faster.
	mailboxToSignIn = `
	select m.state, m.proven_at is not null, (select coalesce(max(a.id), 0) from arrival a)
	from mailbox m where m.id = $1 and m.deleted_at is null`

	insertSignIn = `
	insert into sign_in (start_hash, mailbox, app, link, way, asked_by, redirect_url, scopes, device, step, was_state, again, after,
		next_try_at, created_at, expires_at)
	values ($1, $2, $3, $4, $5, $6, '', $7, $8, $9, $10, $11, $12, $13, $14, $15)
	returning id`

	sealSignIn = `update sign_in set sealed = $2 where id = $1`

	openSignIns = `select count(*) from sign_in where mailbox = $1 and ended_at is null and coalesce(link, 0) = $2`
	// maxSignIns is how many sign-ins of one mailbox may be on their way by one link, and how
	// many without: whoever has a link may begin any number, and keeps nobody else out.
	maxSignIns = 100
)

// AddSignIn keeps a sign-in that begins, and what the mailbox is doing then.
func (db *DB) AddSignIn(ctx context.Context, n NewSignIn) (postroom.SignIn, error) {
	scopes, err := json.Marshal(n.Scopes)
	if err != nil {
		return postroom.SignIn{}, fmt.Errorf("pack scopes: %w", err)
	}
	s := n.SignIn
	err = db.commit(ctx, func(t *tx) error {
		switch err := t.row(mailboxToSignIn, int64(s.Mailbox)).Scan(&s.WasState, &s.Again, &s.After); {
		case noRows(err):
			return noMailbox(err)
		case err != nil:
			return fmt.Errorf("begin a sign-in for mailbox %s: %w", s.Mailbox, err)
		}
		if err := t.mayBegin(s.Mailbox, s.Link); err != nil {
			return err
		}
		err := t.row(insertSignIn, n.Start[:], int64(s.Mailbox), int64(s.App), nullID(s.Link), string(s.Way), nullID(s.By), string(scopes),
			sql.NullString{String: n.Device, Valid: n.Device != ""}, string(s.Step), string(s.WasState), s.Again, int64(s.After),
			nullMicros(n.NextTryAt), micros(s.CreatedAt), micros(s.ExpiresAt)).Scan(&s.ID)
		if err != nil || n.Seal == nil {
			return wrapSignIn("begin", s.ID, err)
		}
		sealed, err := n.Seal(s.ID)
		if err != nil {
			return fmt.Errorf("seal sign-in %s: %w", s.ID, err)
		}
		return wrapSignIn("begin", s.ID, t.exec(sealSignIn, int64(s.ID), sealed))
	})
	return s, err
}

// mayBegin is a fault of kind TooMany where too many sign-ins of a mailbox are on their way.
func (t *tx) mayBegin(id postroom.MailboxID, link postroom.SignInLinkID) error {
	var open int
	if err := t.row(openSignIns, int64(id), int64(link)).Scan(&open); err != nil {
		return fmt.Errorf("count sign-ins of mailbox %s: %w", id, err)
	}
	if open < maxSignIns {
		return nil
	}
	return &postroom.Fault{
		Kind: postroom.TooMany, Class: postroom.RateLimited, FixBy: postroom.FixByWaiting,
		Explanation: "Too many sign-ins for this mailbox have been begun, and none of them finished.",
		Remedy:      "Wait ten minutes, and begin once more.", RetryAfter: 10 * time.Minute,
	}
}

func wrapSignIn(what string, id postroom.SignInID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s sign-in %s: %w", what, id, err)
}

const signInColumns = `
	s.id, s.mailbox, s.app, s.link, s.way, s.asked_by, s.step, s.account, s.answer, s.oauth_grant, s.fault, s.report, s.was_state, s.again,
	s.after, s.tries, s.next_try_at, s.created_at, s.expires_at, s.ended_at, s.browser_hash, s.redirect_url, s.scopes, s.sealed, s.device`

func scanSignIn(scan func(into ...any) error) (k KeptSignIn, err error) {
	var link, by, grant, next, ended sql.NullInt64
	var created, expires int64
	var account, fault, report, device sql.NullString
	var scopes string
	err = scan(&k.ID, &k.Mailbox, &k.App, &link, &k.Way, &by, &k.Step, &account, &k.Answer, &grant, &fault, &report, &k.WasState, &k.Again,
		&k.After, &k.Tries, &next, &created, &expires, &ended, &k.BrowserHash, &k.RedirectURL, &scopes, &k.Sealed, &device)
	if err != nil {
		return KeptSignIn{}, err
	}
	k.Link, k.By, k.Grant = postroom.SignInLinkID(link.Int64), postroom.UserID(by.Int64), postroom.GrantID(grant.Int64)
	k.Fault, k.Device = unpackFault(fault), device.String
	if report.Valid {
		k.Report = []byte(report.String)
	}
	k.NextTryAt, k.CreatedAt, k.ExpiresAt, k.EndedAt = fromMicros(next), at(created), at(expires), fromMicros(ended)
	if err := json.Unmarshal([]byte(scopes), &k.Scopes); err != nil {
		return KeptSignIn{}, fmt.Errorf("unpack scopes of sign-in %s: %w", k.ID, err)
	}
	k.Account, err = unpackSignedIn(account.String)
	return k, err
}

const (
	signInByID    = `select ` + signInColumns + ` from sign_in s where s.id = $1`
	signInByStart = `select ` + signInColumns + ` from sign_in s where s.start_hash = $1`
	signInByState = `select ` + signInColumns + ` from sign_in s where s.state_hash = $1`
	signInsOf     = `select ` + signInColumns + ` from sign_in s where s.mailbox = $1 order by s.id desc limit $2`
)

// SignIn returns a sign-in, or a NotFound fault.
func (db *DB) SignIn(ctx context.Context, id postroom.SignInID) (KeptSignIn, error) {
	return foundSignIn(db.queryRow(ctx, signInByID, int64(id)))
}

// SignInByStart returns the sign-in that begins by the secret with this SHA-256, or a
// NotFound fault.
func (db *DB) SignInByStart(ctx context.Context, hash [32]byte) (KeptSignIn, error) {
	return foundSignIn(db.queryRow(ctx, signInByStart, hash[:]))
}

// SignInByState returns the sign-in whose state has this SHA-256, or a NotFound fault.
func (db *DB) SignInByState(ctx context.Context, hash [32]byte) (KeptSignIn, error) {
	return foundSignIn(db.queryRow(ctx, signInByState, hash[:]))
}

func foundSignIn(r row) (KeptSignIn, error) {
	k, err := scanSignIn(r.Scan)
	switch {
	case noRows(err):
		return KeptSignIn{}, &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "There is no such sign-in here, or not any more.",
			Remedy:      "Open the mailbox, and choose Sign in there.",
			Err:         err,
		}
	case err != nil:
		return KeptSignIn{}, fmt.Errorf("read a sign-in: %w", err)
	}
	return k, nil
}

// SignIns returns the last sign-ins of a mailbox, the newest first.
func (db *DB) SignIns(ctx context.Context, id postroom.MailboxID, limit int) ([]KeptSignIn, error) {
	rows, err := db.query(ctx, signInsOf, int64(id), limit)
	list, err := collect(rows, err, func(r *sql.Rows) (KeptSignIn, error) { return scanSignIn(r.Scan) })
	if err != nil {
		return nil, fmt.Errorf("list sign-ins of mailbox %s: %w", id, err)
	}
	return list, nil
}

const arrivedAfter = `
	select count(*) from arrival
	where mailbox = $1 and state in ('filed', 'waiting', 'quarantined') and id > $2`

// ArrivedAfter counts the mails that have come to a mailbox since an arrival.
func (db *DB) ArrivedAfter(ctx context.Context, id postroom.MailboxID, after postroom.ArrivalID) (n int, err error) {
	if err := db.queryRow(ctx, arrivedAfter, int64(id), int64(after)).Scan(&n); err != nil {
		return 0, fmt.Errorf("count what came to mailbox %s: %w", id, err)
	}
	return n, nil
}
