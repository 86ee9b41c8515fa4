package store

import (
	"database/sql"

	"github.com/postroom/postroom"
)

// Filed mail has its bytes, its mail and its entry. Whatever is missing of a row, and
// bytes that somebody removed or changed, is found at once by an index; so that damage
// of the file itself does not stay unseen, all bytes are looked at too, of a large
// mailbox a part each time.
const checkedAtOnce = 50_000

const (
	// chunksOf and packedOf are what is really there of the raw r.
	chunksOf = `(select count(*) from raw_chunk c where c.id between r.id * 1048576 and r.id * 1048576 + 1048575)`
	packedOf = `(select coalesce(sum(length(c.body)), 0) from raw_chunk c where c.id between r.id * 1048576 and r.id * 1048576 + 1048575)`

	isDamaged = `r.erased_at is not null or ` + chunksOf + ` <> r.chunks or ` + packedOf + ` <> r.packed`

	missingOf = `case
		when r.id is null or r.erased_at is not null then 'its bytes'
		when ` + chunksOf + ` <> r.chunks or ` + packedOf + ` <> r.packed then 'part of its bytes'
		when a.entry is null then 'its entry'
		else 'its mail' end`

	incompleteRows = `
	select a.id, ` + missingOf + `
	from arrival a left join raw r on r.id = a.raw
	where a.mailbox = $1 and a.state = 'filed' and (a.raw is null or a.mail is null or a.entry is null)
	union
	select a.id, ` + missingOf + `
	from raw r join arrival a on a.raw = r.id
	where r.damaged and a.mailbox = $1 and a.state = 'filed' and (` + isDamaged + `)
	order by 1`

	incompleteSome = `
	select a.id, ` + missingOf + `
	from arrival a join raw r on r.id = a.raw
	where a.mailbox = $1 and a.state = 'filed' and a.id > $2 and a.id <= $3 and (` + isDamaged + `)
	order by a.id`

	// lastOfSome is the arrival with which the next part ends; 0: there are no more.
	lastOfSome = `
	select coalesce(max(id), 0) from (
		select id from arrival where mailbox = $1 and state = 'filed' and id > $2 order by id limit $3) part`
)

// incomplete looks for filed arrivals that miss something.
func (m moment) incomplete(id postroom.MailboxID, c *Comparison) error {
	seen := make(map[postroom.ArrivalID]bool)
	note := func(i IncompleteArrival) {
		if !seen[i.Arrival] {
			seen[i.Arrival] = true
			c.Incomplete = append(c.Incomplete, i)
		}
	}
	if err := m.missing(note, incompleteRows, id); err != nil {
		return err
	}
	from, err := m.count(`select coalesce(max(checked_to), 0) from comparison where mailbox = $1`, id)
	if err != nil {
		return err
	}
	c.CheckedTo = postroom.ArrivalID(from)
	return m.checkSome(id, c, checkedAtOnce, note)
}

// checkSome looks at the bytes of the next arrivals, at most so many, and after the
// last one begins anew.
func (m moment) checkSome(id postroom.MailboxID, c *Comparison, atOnce int, note func(IncompleteArrival)) error {
	from := c.CheckedTo
	c.CheckedTo = 0
	to, err := m.count(lastOfSome, id, from, atOnce)
	if to == 0 && from > 0 && err == nil {
		from = 0
		to, err = m.count(lastOfSome, id, from, atOnce)
	}
	if err != nil || to == 0 {
		return err
	}
	if err := m.missing(note, incompleteSome, id, from, to); err != nil {
		return err
	}
	more, err := m.count(lastOfSome, id, to, 1)
	if more > 0 {
		c.CheckedTo = postroom.ArrivalID(to)
	}
	return err
}

func (m moment) missing(note func(IncompleteArrival), query string, args ...any) error {
	return m.each(func(r *sql.Rows) error {
		var i IncompleteArrival
		err := r.Scan(&i.Arrival, &i.Missing)
		note(i)
		return err
	}, query, args...)
}
