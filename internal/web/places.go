package web

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// movedLately is for how long after a move the page of a mailbox begins with it.
const movedLately = 14 * 24 * time.Hour

// A placesView is where a mailbox has been read, newest first.
type placesView struct {
	Sentence string // of the last move
	Lately   bool   // it was a short while ago
	Places   []placeView
	Earlier  []placeView // those that a page folds away
}

// A placeView is one uninterrupted count of a folder by a server.
type placeView struct {
	Where     string
	Why       string // it began; empty for the first
	From      moment
	Until     *moment // nil: it is read there now
	Numbers   string
	ByContent bool
}

// shownPlaces is how many of them a page shows unfolded.
const shownPlaces = 4

// placesView is nil where a mailbox was only ever read in one place.
func (s *Server) placesView(ctx context.Context, by visitor, id postroom.MailboxID) (*placesView, error) {
	if moved, err := s.Reader.HasMoved(ctx, id); err != nil || !moved {
		return nil, err // what follows counts every message
	}
	all, err := s.Mailboxes.Numberings(ctx, by.Viewer, id)
	if err != nil {
		return nil, err
	}
	return s.describePlaces(all, by.IsAdmin()), nil
}

func (s *Server) describePlaces(all []store.NumberingCount, admin bool) *placesView {
	v := &placesView{}
	severalFolders, isContent := false, false
	var latest time.Time // the begin of the newest count that has one before it
	var known, fresh, waiting int64
	for i, n := range all {
		severalFolders = severalFolders || n.Folder != all[0].Folder
		isContent = isContent || n.ByContent
		if before := olderThan(all[i+1:], n); before != nil && n.EndedAt.IsZero() {
			if n.BegunAt.After(latest) {
				latest = n.BegunAt
			}
			known += n.Counts[postroom.ArrivalDuplicate]
			fresh += n.Counts[postroom.ArrivalFiled]
			waiting += n.Counts[postroom.ArrivalWaiting]
		}
	}
	if latest.IsZero() && !isContent {
		return nil
	}
	for i, n := range all {
		p := placeView{
			Where: placeWords(n, severalFolders, admin), Why: whyWords(all[i+1:], n), From: tell(n.BegunAt, s.now()), ByContent: n.ByContent,
			Numbers: placeNumbers(n.Counts, olderThan(all[i+1:], n) != nil, n.EndedAt.IsZero()),
		}
		if !n.EndedAt.IsZero() {
			until := tell(n.EndedAt, s.now())
			p.Until = &until
		}
		if i < shownPlaces {
			v.Places = append(v.Places, p)
		} else {
			v.Earlier = append(v.Earlier, p)
		}
	}
	if !latest.IsZero() {
		v.Lately = s.now().Sub(latest) < movedLately
		v.Sentence = fmt.Sprintf("%s known again, %s new, %s on the way. Nothing is doubled.", number(known), number(fresh), number(waiting))
	}
	return v
}

// olderThan is the count that n took the place of: the last one before it that has
// ended. The list is newest first.
func olderThan(before []store.NumberingCount, n store.NumberingCount) *store.NumberingCount {
	for i := range before {
		if before[i].Folder == n.Folder && !before[i].EndedAt.IsZero() {
			return &before[i]
		}
	}
	for i := range before {
		if !before[i].EndedAt.IsZero() && !before[i].EndedAt.After(n.BegunAt) {
			return &before[i]
		}
	}
	return nil
}

// placeWords name a place; a user name is for administrators.
func placeWords(n store.NumberingCount, folder, admin bool) string {
	words := n.Host + " by " + protocolWord(n.Protocol)
	if folder {
		words += ", folder " + n.Folder
	}
	if admin {
		words += ", as " + n.Username
	}
	return words
}

// whyWords say what has changed where a count took the place of another.
func whyWords(before []store.NumberingCount, n store.NumberingCount) string {
	was := olderThan(before, n)
	if was == nil {
		return ""
	}
	changed := "The server counts its messages anew."
	switch {
	case was.Protocol != n.Protocol && was.Host != n.Host:
		changed = "Another server, and " + protocolWord(n.Protocol) + " instead of " + protocolWord(was.Protocol) + "."
	case was.Protocol != n.Protocol:
		changed = protocolWord(n.Protocol) + " instead of " + protocolWord(was.Protocol) + "."
	case was.Host != n.Host:
		changed = "Another server."
	case was.Username != n.Username:
		changed = "Another user name."
	case was.Folder != n.Folder:
		changed = "Another folder."
	}
	return changed
}

// placeNumbers say what came of the messages in a count.
func placeNumbers(counts map[postroom.ArrivalState]int64, moved, now bool) string {
	var parts []string
	add := func(state postroom.ArrivalState, words string, always bool) {
		if n := counts[state]; n > 0 || always {
			parts = append(parts, number(n)+" "+words)
		}
	}
	if moved {
		add(postroom.ArrivalDuplicate, "known again", true)
		add(postroom.ArrivalFiled, "new", true)
	} else {
		add(postroom.ArrivalFiled, "brought in", true)
		add(postroom.ArrivalDuplicate, "known already", false)
	}
	add(postroom.ArrivalDeleted, "deleted here", false)
	add(postroom.ArrivalBeforeStart, "older than the start", false)
	add(postroom.ArrivalQuarantined, "set aside", false)
	add(postroom.ArrivalVanished, "gone before they could be read", false)
	add(postroom.ArrivalIgnored, "left out by a rule", false)
	add(postroom.ArrivalWaiting, "waiting", now)
	return strings.Join(parts, ", ")
}
