package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A KeptApp is a registration at a provider with its secret, sealed.
type KeptApp struct {
	postroom.OAuthApp
	Sealed []byte // nil: it has none
}

// appSettings is the settings column of a registration.
type appSettings struct {
	ClientID     string            `json:"client_id"`
	Tenant       string            `json:"tenant,omitempty"`
	Issuer       string            `json:"issuer,omitempty"`
	AuthorizeURL string            `json:"authorize_url,omitempty"`
	TokenURL     string            `json:"token_url,omitempty"`
	DeviceURL    string            `json:"device_url,omitempty"`
	RevokeURL    string            `json:"revoke_url,omitempty"`
	UserInfoURL  string            `json:"userinfo_url,omitempty"`
	Scopes       []string          `json:"scopes,omitempty"`
	ExtraParams  map[string]string `json:"extra_params,omitempty"`
	RedirectURL  string            `json:"redirect_url,omitempty"`
}

func packApp(a postroom.OAuthApp) (string, error) {
	text, err := json.Marshal(appSettings{
		ClientID: clean(a.ClientID), Tenant: clean(a.Tenant), Issuer: clean(a.Issuer),
		AuthorizeURL: clean(a.AuthorizeURL), TokenURL: clean(a.TokenURL), DeviceURL: clean(a.DeviceURL),
		RevokeURL: clean(a.RevokeURL), UserInfoURL: clean(a.UserInfoURL),
		Scopes: a.Scopes, ExtraParams: a.ExtraParams, RedirectURL: clean(a.RedirectURL),
	})
	if err != nil {
		return "", fmt.Errorf("pack the settings of a registration: %w", err)
	}
	return string(text), nil
}

func unpackApp(text string, a *postroom.OAuthApp) error {
	var s appSettings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("unpack the settings of a registration: %w", err)
	}
	a.ClientID, a.Tenant, a.Issuer = s.ClientID, s.Tenant, s.Issuer
	a.AuthorizeURL, a.TokenURL, a.DeviceURL = s.AuthorizeURL, s.TokenURL, s.DeviceURL
	a.RevokeURL, a.UserInfoURL = s.RevokeURL, s.UserInfoURL
	a.Scopes, a.ExtraParams, a.RedirectURL = s.Scopes, s.ExtraParams, s.RedirectURL
	return nil
}

const (
	maxAppName = 200 // bytes

	insertOAuthApp = `
	insert into oauth_app (name, provider, kind, settings, secret_kind, secret_expires_at, is_testing, created_at, updated_at)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $8) returning id`

	sealOAuthApp = `update oauth_app set sealed = $2 where id = $1`
)

// AddOAuthApp keeps a registration. seal makes what is kept of its secret, once the id
// is known; nil: it has none.
func (db *DB) AddOAuthApp(ctx context.Context, a postroom.OAuthApp, seal func(postroom.OAuthAppID) ([]byte, error)) (postroom.OAuthApp, error) {
	settings, err := packApp(a)
	if err != nil {
		return postroom.OAuthApp{}, err
	}
	err = db.commit(ctx, func(t *tx) error {
		now, err := t.now()
		if err != nil {
			return err
		}
		err = t.row(insertOAuthApp, clip(a.Name, maxAppName), a.Provider, string(a.Kind), settings, string(a.SecretKind),
			nullMicros(a.SecretExpiresAt), a.IsTesting, micros(now)).Scan(&a.ID)
		if err != nil {
			return fmt.Errorf("add a registration: %w", err)
		}
		a.CreatedAt, a.UpdatedAt = now, now
		if seal == nil {
			return nil
		}
		sealed, err := seal(a.ID)
		if err != nil {
			return fmt.Errorf("seal the secret of registration %s: %w", a.ID, err)
		}
		if err := t.exec(sealOAuthApp, int64(a.ID), sealed); err != nil {
			return fmt.Errorf("add a registration: %w", err)
		}
		return nil
	})
	return a, err
}

const (
	bareAppColumns = `
	a.id, a.name, a.provider, a.kind, a.settings, a.secret_kind, a.sealed, a.secret_expires_at, a.is_testing,
	a.checked_at, a.checks, a.created_at, a.updated_at, `

	// The mailboxes that sign in by a registration are those whose credential is a grant of it.
	oauthAppColumns = bareAppColumns + `
	(select count(*) from oauth_grant g join credential c on c.oauth_grant = g.id join mailbox m on m.id = c.mailbox
	 where g.app = a.id and m.deleted_at is null)`
)

func scanOAuthApp(scan func(into ...any) error) (k KeptApp, err error) {
	var settings string
	var checks sql.NullString
	var expires, checked sql.NullInt64
	var created, updated int64
	err = scan(&k.ID, &k.Name, &k.Provider, &k.Kind, &settings, &k.SecretKind, &k.Sealed, &expires, &k.IsTesting,
		&checked, &checks, &created, &updated, &k.Mailboxes)
	if err != nil {
		return KeptApp{}, err
	}
	k.SecretExpiresAt, k.CheckedAt = fromMicros(expires), fromMicros(checked)
	k.CreatedAt, k.UpdatedAt = at(created), at(updated)
	if err := unpackApp(settings, &k.OAuthApp); err != nil {
		return KeptApp{}, err
	}
	k.Checks, err = unpackChecks(checks)
	return k, err
}

const (
	oauthApp     = `select ` + oauthAppColumns + ` from oauth_app a where a.id = $1 and a.deleted_at is null`
	bareOAuthApp = `select ` + bareAppColumns + `0 from oauth_app a where a.id = $1 and a.deleted_at is null`
	oauthApps    = `select ` + oauthAppColumns + ` from oauth_app a where a.deleted_at is null order by a.name, a.id`
)

// OAuthApp returns a registration, or a NotFound fault.
func (db *DB) OAuthApp(ctx context.Context, id postroom.OAuthAppID) (KeptApp, error) {
	return db.oauthApp(ctx, oauthApp, id)
}

// BareOAuthApp is OAuthApp without Mailboxes: counting them takes longer with each, and
// tokens are renewed all the time.
func (db *DB) BareOAuthApp(ctx context.Context, id postroom.OAuthAppID) (KeptApp, error) {
	return db.oauthApp(ctx, bareOAuthApp, id)
}

func (db *DB) oauthApp(ctx context.Context, query string, id postroom.OAuthAppID) (KeptApp, error) {
	k, err := scanOAuthApp(db.queryRow(ctx, query, int64(id)).Scan)
	switch {
	case noRows(err):
		return KeptApp{}, noOAuthApp(err)
	case err != nil:
		return KeptApp{}, fmt.Errorf("read registration %s: %w", id, err)
	}
	return k, nil
}

func noOAuthApp(cause error) error {
	return &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
		Explanation: "This registration at the provider is not here, or no longer.",
		Remedy:      "Choose another one for the mailbox, or enter it again under Settings, Apps at providers.",
		Err:         cause,
	}
}

// OAuthApps lists the registrations by name.
func (db *DB) OAuthApps(ctx context.Context) ([]KeptApp, error) {
	rows, err := db.query(ctx, oauthApps)
	list, err := collect(rows, err, func(rows *sql.Rows) (KeptApp, error) { return scanOAuthApp(rows.Scan) })
	if err != nil {
		return nil, fmt.Errorf("list registrations: %w", err)
	}
	return list, nil
}

// Settings that have changed have not been checked yet.
const changeOAuthApp = `
	update oauth_app set name = $3, provider = $4, kind = $5, settings = $6, secret_kind = $7, secret_expires_at = $8,
		is_testing = $9, updated_at = $10, sealed = case when $11 then $12 else sealed end, checked_at = null, checks = null
	where id = $1 and updated_at = $2 and deleted_at is null`

// An AppSecret is what is kept of the secret of a registration from now on.
type AppSecret struct{ Sealed []byte } // nil: none

// ChangeOAuthApp keeps a registration as it is from now on, if nobody has changed it
// since seen; ok is false where somebody has, or where it is gone. A nil secret stays as
// it is. What waited for the registration to be mended is tried at once.
func (db *DB) ChangeOAuthApp(ctx context.Context, a postroom.OAuthApp, seen time.Time, secret *AppSecret) (ok bool, err error) {
	settings, err := packApp(a)
	if err != nil {
		return false, err
	}
	err = db.commit(ctx, func(t *tx) error {
		now, err := t.now()
		if err != nil {
			return err
		}
		var sealed []byte
		if secret != nil {
			sealed = secret.Sealed
		}
		n, err := t.changed(changeOAuthApp, int64(a.ID), micros(seen), clip(a.Name, maxAppName), a.Provider, string(a.Kind), settings,
			string(a.SecretKind), nullMicros(a.SecretExpiresAt), a.IsTesting, micros(now), secret != nil, sealed)
		if err != nil {
			return fmt.Errorf("change registration %s: %w", a.ID, err)
		}
		if ok = n > 0; !ok {
			return nil
		}
		return t.tryAppAgain(a.ID, now)
	})
	return ok, err
}

const tryGrantAgain = `update oauth_grant set failures = 0, next_try_at = null where id = $1`

// tryAppAgain has what waits for somebody to mend a registration tried at once: with a
// new client secret hundreds of mailboxes may be mended. Other troubles stay as they are.
func (t *tx) tryAppAgain(id postroom.OAuthAppID, now time.Time) error {
	users, err := t.usersOf(id)
	if err != nil {
		return err
	}
	isOfApp := func(f *postroom.Fault) bool { return f != nil && f.Class == postroom.ClientMisconfigured }
	for _, u := range users {
		if isOfApp(u.grantFault) {
			if err := t.exec(tryGrantAgain, int64(u.grant)); err != nil {
				return fmt.Errorf("try grant %s again: %w", u.grant, err)
			}
		}
		if !isOfApp(u.fault) {
			continue
		}
		version, err := t.raiseVersion(u.id)
		if err != nil {
			return err
		}
		if err := t.exec(reopenMailbox, micros(now), int64(u.id)); err != nil {
			return fmt.Errorf("reopen mailbox %s: %w", u.id, err)
		}
		t.mailboxChanged(u.id, fmt.Sprint(version), now)
	}
	return nil
}

const (
	oauthAppUsers = `
	select m.id, m.address, m.fault, g.id, g.fault from oauth_grant g join credential c on c.oauth_grant = g.id join mailbox m on m.id = c.mailbox
	where g.app = $1 and m.deleted_at is null order by m.address, m.id`

	removeOAuthApp = `update oauth_app set deleted_at = $2, sealed = null, updated_at = $2 where id = $1 and deleted_at is null`

	revokeLinksOfApp = `update sign_in_link set revoked_at = $2, sealed = null where app = $1 and used_at is null and revoked_at is null`
)

// An appUser is a mailbox that signs in by a registration.
type appUser struct {
	id         postroom.MailboxID
	address    string
	grant      postroom.GrantID
	fault      *postroom.Fault // of the mailbox
	grantFault *postroom.Fault // of refreshing
}

// usersOf lists the mailboxes that sign in by a registration, by their addresses.
func (t *tx) usersOf(id postroom.OAuthAppID) ([]appUser, error) {
	rows, err := t.rows(oauthAppUsers, int64(id))
	users, err := collect(rows, err, func(rows *sql.Rows) (u appUser, err error) {
		var fault, grantFault sql.NullString
		err = rows.Scan(&u.id, &u.address, &fault, &u.grant, &grantFault)
		u.fault, u.grantFault = unpackFault(fault), unpackFault(grantFault)
		return u, err
	})
	if err != nil {
		return nil, fmt.Errorf("list who signs in by registration %s: %w", id, err)
	}
	return users, nil
}

// RemoveOAuthApp destroys the secret of a registration and takes it out of every list,
// unless mailboxes sign in by it: then nothing happens, count says how many there are,
// and users are the addresses of the first few. Links by which somebody was to sign in
// end with it.
func (db *DB) RemoveOAuthApp(ctx context.Context, id postroom.OAuthAppID, few int) (users []string, count int, err error) {
	err = db.commit(ctx, func(t *tx) error {
		users, count = nil, 0
		all, err := t.usersOf(id)
		if err != nil {
			return err
		}
		for _, u := range all[:min(few, len(all))] {
			users = append(users, u.address)
		}
		if count = len(all); count > 0 {
			return nil
		}
		now, err := t.now()
		if err != nil {
			return err
		}
		n, err := t.changed(removeOAuthApp, int64(id), micros(now))
		switch {
		case err != nil:
			return fmt.Errorf("remove registration %s: %w", id, err)
		case n == 0:
			return noOAuthApp(nil)
		}
		if err := t.exec(revokeLinksOfApp, int64(id), micros(now)); err != nil {
			return fmt.Errorf("end the links of registration %s: %w", id, err)
		}
		return nil
	})
	return users, count, err
}
