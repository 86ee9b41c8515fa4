package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

const (
	alertVersion = `select value from counter where name = 'alert'`

	openAlerts = `select ` + alertColumns + ` from alert a where a.ended_at is null order by a.id`

	// SQLite keeps the order of a cross join: from the few open alerts to what is theirs.
	openMembers = `
	select x.alert, x.mailbox, x.begun_at, x.ended_at from alert o cross join alert_mailbox x
	where o.ended_at is null and x.alert = o.id order by x.alert, x.mailbox`

	openTold = `
	select n.alert, n.recipient, max(case when n.state = 'sent' or n.state = 'sending' then 1 else 0 end)
	from alert o cross join notice n
	where o.ended_at is null and n.alert = o.id group by n.alert, n.recipient order by n.alert, n.recipient`
)

// OpenAlerts lists the alerts that have not ended, quiet ones too, and the version that a
// change of them has to name.
func (db *DB) OpenAlerts(ctx context.Context) (alerts []KeptAlert, version int64, err error) {
	if err := db.queryRow(ctx, alertVersion).Scan(&version); err != nil {
		return nil, 0, fmt.Errorf("read the version of the alerts: %w", err)
	}
	rows, err := db.query(ctx, openAlerts)
	alerts, err = collect(rows, err, func(rows *sql.Rows) (KeptAlert, error) { return scanAlert(rows.Scan) })
	if err != nil {
		return nil, 0, fmt.Errorf("list open alerts: %w", err)
	}
	if len(alerts) == 0 {
		return nil, version, nil
	}
	index := make(map[postroom.AlertID]*KeptAlert, len(alerts))
	for i := range alerts {
		index[alerts[i].ID] = &alerts[i]
	}
	if err := db.fillMembers(ctx, index); err != nil {
		return nil, 0, err
	}
	return alerts, version, db.fillTold(ctx, index)
}

func (db *DB) fillMembers(ctx context.Context, index map[postroom.AlertID]*KeptAlert) error {
	rows, err := db.query(ctx, openMembers)
	_, err = collect(rows, err, func(rows *sql.Rows) (m AlertMember, err error) {
		var alert postroom.AlertID
		var begun int64
		var ended sql.NullInt64
		err = rows.Scan(&alert, &m.Mailbox, &begun, &ended)
		m.BegunAt, m.EndedAt = at(begun), fromMicros(ended)
		if k := index[alert]; k != nil {
			k.Members = append(k.Members, m)
		}
		return m, err
	})
	if err != nil {
		return fmt.Errorf("list mailboxes of open alerts: %w", err)
	}
	return nil
}

func (db *DB) fillTold(ctx context.Context, index map[postroom.AlertID]*KeptAlert) error {
	rows, err := db.query(ctx, openTold)
	_, err = collect(rows, err, func(rows *sql.Rows) (p ToldPerson, err error) {
		var alert postroom.AlertID
		var left int64
		err = rows.Scan(&alert, &p.Address, &left)
		p.HasLeft = left == 1
		if k := index[alert]; k != nil {
			k.Recipients = append(k.Recipients, p)
		}
		return p, err
	})
	if err != nil {
		return fmt.Errorf("list who was told of open alerts: %w", err)
	}
	return nil
}

// AlertChanges are what one look at everything has found to be new. They are made
// together or not at all.
type AlertChanges struct {
	Version int64 // of the alerts that were looked at
	At      time.Time
	Raised  []RaisedAlert
	Changed []ChangedAlert
}

// IsEmpty says whether nothing is new.
func (c AlertChanges) IsEmpty() bool { return len(c.Raised) == 0 && len(c.Changed) == 0 }

// A RaisedAlert is a cause that nobody knew of.
type RaisedAlert struct {
	Cause, Title string
	Kind         postroom.AlertKind
	Fault        postroom.Fault
	App          postroom.OAuthAppID
	EndsAt       time.Time
	NextAt       time.Time // of the first reminder; zero: there is none
	Members      []postroom.MailboxID
	Notices      []NewNotice
}

// A ChangedAlert is what is new of an alert. What is not said stays as it is.
type ChangedAlert struct {
	ID      postroom.AlertID
	Words   *AlertWords
	Joined  []postroom.MailboxID
	Left    []postroom.MailboxID
	Quiet   *time.Time // the zero time: it is not, any more
	Remind  bool       // it is told again
	NextAt  time.Time  // with Remind; zero: that was the last time
	End     bool
	Gap     int64 // with End
	Notices []NewNotice
}

// AlertWords are how an alert reads.
type AlertWords struct {
	Title  string
	Fault  postroom.Fault
	EndsAt time.Time
}

// errAlertsChanged ends a commit that was made for other alerts than there are.
var errAlertsChanged = errors.New("the alerts have changed")

const nextAlertVersion = `update counter set value = value + 1 where name = 'alert' and value = $1`

// ChangeAlerts writes down what a look has found; false: somebody else has changed the
// alerts since they were listed, and nothing was done. Reminding and the like are the
// desk's to decide. Events are appended in the same commit.
func (db *DB) ChangeAlerts(ctx context.Context, c AlertChanges) (bool, error) {
	err := db.commit(ctx, func(t *tx) error {
		n, err := t.changed(nextAlertVersion, c.Version)
		switch {
		case err != nil:
			return err
		case n == 0:
			return errAlertsChanged
		}
		for _, r := range c.Raised {
			if err := t.raise(r, c.At); err != nil {
				return err
			}
		}
		for _, ch := range c.Changed {
			if err := t.changeAlert(ch, c.At); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, errAlertsChanged):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("change alerts: %w", err)
	}
	return true, nil
}

const (
	raiseAlert = `
	insert into alert (cause, kind, title, fault, app, ends_at, begun_at, next_at)
	values ($1, $2, $3, $4, $5, $6, $7, $8) returning id`

	joinAlert = `
	insert into alert_mailbox (alert, mailbox, begun_at, after)
	select cast($1 as bigint), m.id, cast($3 as bigint), (select coalesce(max(id), 0) from arrival) from mailbox m where m.id = $2
	on conflict (alert, mailbox) do update set ended_at = null`

	leaveAlert = `update alert_mailbox set ended_at = $3 where alert = $1 and mailbox = $2 and ended_at is null`

	wordAlert = `update alert set title = $2, fault = $3, ends_at = $4 where id = $1`

	quietAlert = `update alert set quiet_since = $2 where id = $1`

	remindAlert = `update alert set next_at = $2 where id = $1`

	endAlert = `
	update alert set ended_at = coalesce(quiet_since, $2), next_at = null, gap = $3 where id = $1`

	// What has not left by then says what is not true any more; whoever is sending it now
	// finds nothing to settle.
	dropQueued = `delete from notice where alert = $1 and state in ('queued', 'sending')`
)

func (t *tx) raise(r RaisedAlert, now time.Time) error {
	var id int64
	err := t.row(raiseAlert, clean(r.Cause), string(r.Kind), clip(r.Title, faultLimit), packFault(&r.Fault),
		nullID(r.App), nullMicros(r.EndsAt), micros(now), nullMicros(r.NextAt)).Scan(&id)
	if err != nil {
		return err
	}
	if err := t.join(postroom.AlertID(id), r.Members, now); err != nil {
		return err
	}
	if err := t.alertEvent(postroom.EventAlertRaised, postroom.AlertID(id), "", now); err != nil {
		return err
	}
	return t.addNotices(postroom.AlertID(id), r.Notices)
}

func (t *tx) changeAlert(c ChangedAlert, now time.Time) error {
	id := int64(c.ID)
	if err := t.join(c.ID, c.Joined, now); err != nil {
		return err
	}
	for _, m := range c.Left {
		if err := t.exec(leaveAlert, id, int64(m), micros(now)); err != nil {
			return err
		}
	}
	if w := c.Words; w != nil {
		if err := t.exec(wordAlert, id, clip(w.Title, faultLimit), packFault(&w.Fault), nullMicros(w.EndsAt)); err != nil {
			return err
		}
	}
	if c.Quiet != nil {
		if err := t.exec(quietAlert, id, nullMicros(*c.Quiet)); err != nil {
			return err
		}
	}
	if c.Remind {
		if err := t.exec(remindAlert, id, nullMicros(c.NextAt)); err != nil {
			return err
		}
		if err := t.alertEvent(postroom.EventAlertReminded, c.ID, fmt.Sprintf(":%d", now.Unix()), now); err != nil {
			return err
		}
	}
	if c.End {
		if err := t.exec(endAlert, id, micros(now), c.Gap); err != nil {
			return err
		}
		if err := t.exec(dropQueued, id); err != nil {
			return err
		}
		if err := t.alertEvent(postroom.EventAlertEnded, c.ID, "", now); err != nil {
			return err
		}
	}
	return t.addNotices(c.ID, c.Notices)
}

func (t *tx) join(id postroom.AlertID, members []postroom.MailboxID, now time.Time) error {
	for _, m := range members {
		if err := t.exec(joinAlert, int64(id), int64(m), micros(now)); err != nil {
			return err
		}
	}
	return nil
}

const onlyMailbox = `select count(*), coalesce(min(mailbox), 0) from alert_mailbox where alert = $1`

// alertEvent tells of an alert. What has concerned one mailbox alone is told as that
// mailbox's, so that its people hear of it.
func (t *tx) alertEvent(what postroom.EventType, id postroom.AlertID, nth string, now time.Time) error {
	e := postroom.Event{ID: fmt.Sprintf("%s:%d%s", what, id, nth), Type: what, At: now}
	var n, mailbox int64
	if err := t.row(onlyMailbox, int64(id)).Scan(&n, &mailbox); err != nil {
		return err
	}
	if n == 1 {
		e.Mailbox = postroom.MailboxID(mailbox)
	}
	t.event(e)
	return nil
}
