package simulator

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/postroom/postroom"
)

// store is all that the provider keeps. One lock guards it; nobody holds the lock
// while talking to a client.
type store struct {
	mu       sync.Mutex
	accounts map[string]*account
	oauth    []*OAuthServer // whose tokens open the accounts; none: their passwords do
}

type account struct {
	name, password string
	// passwordChanges counts them: grants at Google end with one.
	passwordChanges int
	google          *Google // nil: the password opens everything
	folders         map[string]*folder
	lastValidity    uint32
	gmail           bool
	lastMail        uint64 // of Gmail's, ever given out
}

// A folder counts every change in version, so that a session sees at once whether
// anything is new, and closes changed when it happens.
type folder struct {
	name       string
	validity   uint32 // UIDVALIDITY
	nextUID    uint32
	letters    []*letter // by rising UID
	subscribed bool
	version    uint64
	changed    chan struct{}
}

type letter struct {
	uid   uint32
	raw   []byte // never changed
	date  time.Time
	flags []imap.Flag
	// version is that of the folder when the flags last changed.
	version uint64
	gone    bool   // expunged
	mail    uint64 // X-GM-MSGID, the same in every folder; 0: not at Gmail

	// By POP3:
	retrieved int  // times
	handedOut bool // by Gmail, in a session that was finished
	place     int  // its number where numbers come back; 0: none yet
}

// Message is a message as the provider keeps it.
type Message struct {
	UID          uint32
	Raw          []byte
	InternalDate time.Time
	Flags        []string
}

const inbox = "INBOX"

// folderKey makes INBOX one name in any case (RFC 9051 section 5.1).
func folderKey(name string) string {
	name = strings.TrimSuffix(name, "/")
	if strings.EqualFold(name, inbox) {
		return inbox
	}
	return name
}

func (a *account) create(name string) *folder {
	a.lastValidity++
	f := &folder{name: folderKey(name), validity: a.lastValidity, nextUID: 1, changed: make(chan struct{})}
	a.folders[f.name] = f
	return f
}

// check finds an account and judges a password for IMAP.
func (s *store) check(user, password string) (*account, verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[user]
	if a == nil {
		return nil, wrongPassword
	}
	return a, a.judge(postroom.IMAP, password)
}

// touch counts a change and wakes the sessions in IDLE.
func (f *folder) touch() {
	f.version++
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *folder) append(raw []byte, date time.Time, flags []imap.Flag) *letter {
	l := &letter{uid: f.nextUID, raw: raw, date: date, flags: slices.Clone(flags)}
	f.nextUID++
	f.letters = append(f.letters, l)
	f.touch()
	return l
}

func (f *folder) remove(doomed func(*letter) bool) {
	before := len(f.letters)
	f.letters = slices.DeleteFunc(f.letters, func(l *letter) bool {
		l.gone = doomed(l)
		return l.gone
	})
	if len(f.letters) != before {
		f.touch()
	}
}

func (f *folder) setFlags(letters []*letter, op imap.StoreFlagsOp, flags []imap.Flag) {
	f.touch()
	for _, l := range letters {
		kept := slices.Clone(l.flags)
		if op == imap.StoreFlagsSet {
			kept = nil
		}
		kept = slices.DeleteFunc(kept, func(have imap.Flag) bool { return hasFlag(flags, have) })
		if op != imap.StoreFlagsDel {
			kept = append(kept, flags...)
		}
		l.flags, l.version = kept, f.version
	}
}

func (f *folder) find(uid uint32) (*letter, bool) {
	i, ok := slices.BinarySearchFunc(f.letters, uid, func(l *letter, uid uint32) int { return int(l.uid) - int(uid) })
	if !ok {
		return nil, false
	}
	return f.letters[i], true
}

func hasFlag(flags []imap.Flag, flag imap.Flag) bool {
	return slices.ContainsFunc(flags, func(f imap.Flag) bool { return strings.EqualFold(string(f), string(flag)) })
}
