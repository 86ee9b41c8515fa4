package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

const alertColumns = `
	a.id, a.cause, a.kind, a.title, a.fault, a.app, a.ends_at, a.begun_at, a.quiet_since, a.ended_at,
	a.told_at, a.told, a.next_at, a.gap`

// A KeptAlert is an alert with what only the alert desk needs to know.
type KeptAlert struct {
	postroom.Alert
	// QuietSince is since when nobody needs to do anything about it; zero: somebody does.
	QuietSince time.Time
	Members    []AlertMember
	Recipients []ToldPerson
}

// An AlertMember is a mailbox that an alert concerns, or did.
type AlertMember struct {
	Mailbox postroom.MailboxID
	BegunAt time.Time
	EndedAt time.Time // zero: it still does
}

// A ToldPerson is an address that has a notice of an alert.
type ToldPerson struct {
	Address string
	HasLeft bool // it was sent, or is being sent
}

func scanAlert(scan func(...any) error, further ...any) (KeptAlert, error) {
	var k KeptAlert
	var fault sql.NullString
	var app, ends, quiet, ended, told, next sql.NullInt64
	var begun int64
	err := scan(append([]any{&k.ID, &k.Cause, &k.Kind, &k.Title, &fault, &app, &ends, &begun, &quiet, &ended, &told, &k.Told, &next, &k.Gap}, further...)...)
	if err != nil {
		return KeptAlert{}, err
	}
	if f := unpackFault(fault); f != nil {
		k.Fault = *f
	}
	k.App = postroom.OAuthAppID(app.Int64)
	k.EndsAt, k.BegunAt, k.QuietSince, k.EndedAt = fromMicros(ends), at(begun), fromMicros(quiet), fromMicros(ended)
	k.ToldAt, k.NextAt = fromMicros(told), fromMicros(next)
	return k, nil
}

// An AlertView says whose alerts are asked for.
type AlertView struct {
	All  bool            // of whatever mailbox; else of those that User owns
	User postroom.UserID // who has closed pop-ups; 0: nobody
	// Grace is how long after the end of an alert a mail counts as come meanwhile that its
	// server does not date.
	Grace time.Duration
}

func (v AlertView) args() []any {
	all := int64(0)
	if v.All {
		all = 1
	}
	return []any{int64(v.User), all}
}

// seesAlert holds for the alerts a that the viewer may see. It wants the user as $1, and
// 1 as $2 where all may be seen.
const seesAlert = `(cast($2 as bigint) = 1 or exists (
	select 1 from alert_mailbox x join mailbox m on m.id = x.mailbox
	where x.alert = a.id and m.owner = $1 and m.deleted_at is null))`

const seenAlert = `(select s.at from alert_seen s where s.alert = a.id and s.app_user = $1)`

const (
	alertsThatStand = `
	select ` + alertColumns + `, ` + seenAlert + ` from alert a
	where a.ended_at is null and a.quiet_since is null and ` + seesAlert + `
	order by a.begun_at, a.id`

	alertsThatEnded = `
	select ` + alertColumns + `, ` + seenAlert + ` from alert a
	where (a.ended_at is not null or a.quiet_since is not null) and ` + seesAlert + `
	order by coalesce(a.ended_at, a.quiet_since) desc, a.id desc limit $3`

	alertByID = `
	select ` + alertColumns + `, ` + seenAlert + ` from alert a where a.id = $3 and ` + seesAlert

	// Of an alert that has ended, all mailboxes that it concerned are named. SQLite keeps the
	// order of a cross join: from the few open alerts to what is theirs.
	alertMailboxes = `
	select x.alert, x.mailbox from alert a cross join alert_mailbox x cross join mailbox m
	where x.alert = a.id and m.id = x.mailbox and m.deleted_at is null and (cast($2 as bigint) = 1 or m.owner = $1)
	  and a.ended_at is null and a.quiet_since is null and x.ended_at is null
	order by x.alert, x.mailbox`

	mailboxesOfAlert = `
	select x.alert, x.mailbox from alert_mailbox x join alert a on a.id = x.alert join mailbox m on m.id = x.mailbox
	where x.alert = $3 and m.deleted_at is null and (cast($2 as bigint) = 1 or m.owner = $1)
	  and (a.ended_at is not null or a.quiet_since is not null or x.ended_at is null)
	order by x.alert, x.mailbox`
)

// StandingAlerts lists what needs somebody now, the oldest first.
func (r *Reader) StandingAlerts(ctx context.Context, v AlertView) ([]postroom.Alert, error) {
	rows, err := r.db.query(ctx, alertsThatStand, v.args()...)
	alerts, err := collect(rows, err, scanSeenAlert)
	if err == nil && len(alerts) > 0 {
		err = r.fillMailboxes(ctx, alerts, alertMailboxes, v.args()...)
	}
	if err != nil {
		return nil, fmt.Errorf("list alerts: %w", err)
	}
	return bareAlerts(alerts), nil
}

// EndedAlerts lists what needed somebody, the newest first. Their mailboxes are not in
// it.
func (r *Reader) EndedAlerts(ctx context.Context, v AlertView, limit int) ([]postroom.Alert, error) {
	rows, err := r.db.query(ctx, alertsThatEnded, append(v.args(), int64(pageSize(limit)))...)
	alerts, err := collect(rows, err, scanSeenAlert)
	if err == nil {
		err = r.fillGaps(ctx, v, alerts)
	}
	if err != nil {
		return nil, fmt.Errorf("list alerts that have ended: %w", err)
	}
	return bareAlerts(alerts), nil
}

// fillGaps counts what arrived during alerts that are quiet, and have not ended for good.
func (r *Reader) fillGaps(ctx context.Context, v AlertView, alerts []KeptAlert) error {
	for i := range alerts {
		a := &alerts[i]
		if a.QuietSince.IsZero() {
			continue
		}
		filed, waiting, err := r.db.AlertGap(ctx, a.ID, a.QuietSince, v.Grace)
		if err != nil {
			return err
		}
		a.Gap = filed + waiting
	}
	return nil
}

func bareAlerts(kept []KeptAlert) []postroom.Alert {
	alerts := make([]postroom.Alert, 0, len(kept))
	for _, k := range kept {
		alerts = append(alerts, k.Alert)
	}
	return alerts
}

// Alert returns one alert, or a NotFound fault.
func (r *Reader) Alert(ctx context.Context, v AlertView, id postroom.AlertID) (postroom.Alert, error) {
	rows, err := r.db.query(ctx, alertByID, append(v.args(), int64(id))...)
	alerts, err := collect(rows, err, scanSeenAlert)
	if err == nil && len(alerts) == 0 {
		return postroom.Alert{}, &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "This alert is not here, or not any more.",
			Remedy:      "Look at the list of alerts.",
		}
	}
	if err == nil {
		err = r.fillGaps(ctx, v, alerts)
	}
	if err == nil {
		err = r.fillMailboxes(ctx, alerts, mailboxesOfAlert, append(v.args(), int64(id))...)
	}
	if err != nil {
		return postroom.Alert{}, fmt.Errorf("read alert %s: %w", id, err)
	}
	return alerts[0].Alert, nil
}

// scanSeenAlert reads an alert as people see it: one that is quiet has ended for them.
// QuietSince is zero of one that has ended for good.
func scanSeenAlert(rows *sql.Rows) (KeptAlert, error) {
	var seen sql.NullInt64
	k, err := scanAlert(rows.Scan, &seen)
	k.SeenAt = fromMicros(seen)
	if k.EndedAt.IsZero() {
		k.EndedAt = k.QuietSince
	} else {
		k.QuietSince = time.Time{}
	}
	return k, err
}

// fillMailboxes names the mailboxes of alerts.
func (r *Reader) fillMailboxes(ctx context.Context, alerts []KeptAlert, query string, args ...any) error {
	index := make(map[postroom.AlertID]*KeptAlert, len(alerts))
	for i := range alerts {
		index[alerts[i].ID] = &alerts[i]
	}
	rows, err := r.db.query(ctx, query, args...)
	_, err = collect(rows, err, func(rows *sql.Rows) (id postroom.AlertID, err error) {
		var m postroom.MailboxID
		err = rows.Scan(&id, &m)
		if a := index[id]; a != nil {
			a.Mailboxes = append(a.Mailboxes, m)
		}
		return id, err
	})
	return err
}

const seeAlert = `
	insert into alert_seen (alert, app_user, at) values ($1, $2, $3)
	on conflict (alert, app_user) do update set at = excluded.at`

// SeeAlert keeps that somebody has closed the pop-up of an alert.
func (db *DB) SeeAlert(ctx context.Context, id postroom.AlertID, user postroom.UserID, now time.Time) error {
	err := db.commit(ctx, func(t *tx) error { return t.exec(seeAlert, int64(id), int64(user), micros(now)) })
	if err != nil {
		return fmt.Errorf("keep that alert %s was seen: %w", id, err)
	}
	return nil
}

const forgetAlerts = `delete from alert where ended_at < $1`

const forgetNotices = `delete from notice where alert is null and state in ('sent', 'refused') and created_at < $1`

// ForgetAlerts removes alerts that ended long ago with their notices, and other notices
// of that age.
func (db *DB) ForgetAlerts(ctx context.Context, before time.Time) error {
	err := db.commit(ctx, func(t *tx) error {
		if err := t.exec(forgetAlerts, micros(before)); err != nil {
			return err
		}
		return t.exec(forgetNotices, micros(before))
	})
	if err != nil {
		return fmt.Errorf("forget old alerts: %w", err)
	}
	return nil
}
