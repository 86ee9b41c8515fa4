package mailbox

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// How much of a dialogue is kept, of each side.
const (
	firstLines = 120
	lastLines  = 79   // with one that says how many are left out: 400 of both sides
	maxSaid    = 1000 // bytes of a line
	muchSaid   = maxSaid + maxPassword + 1000
)

// A dialogue is what is said with one server: its beginning and its end.
type dialogue struct {
	side   Side
	logins []mail.Login // whose secrets nobody may see

	mu      sync.Mutex
	first   []DialogueLine
	last    []DialogueLine // the newest, oldest first
	leftOut int
}

// blank has a secret never shown, whoever says it.
func (d *dialogue) blank(username string, secrets ...postroom.Secret) {
	for _, s := range secrets {
		if !s.IsEmpty() {
			d.logins = append(d.logins, mail.Login{Username: username, Secret: s}.Ready())
		}
	}
}

// hear is the transcript of a connection.
func (d *dialogue) hear(dir byte, line string) {
	rest := max(len(line)-muchSaid, 0) // of which nothing will be shown in any case
	if rest > 0 {
		line = strings.ToValidUTF8(line[:muchSaid], "")
	}
	for _, l := range d.logins {
		line = l.Scrub(line)
	}
	said := DialogueLine{At: time.Now(), Side: d.side, Direction: dir, Text: shortened(line, rest)}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.first) < firstLines {
		d.first = append(d.first, said)
		return
	}
	if len(d.last) == lastLines {
		d.last = slices.Delete(d.last, 0, 1)
		d.leftOut++
	}
	d.last = append(d.last, said)
}

// lines are what was said, in its order.
func (d *dialogue) lines() []DialogueLine {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := slices.Clone(d.first)
	if d.leftOut > 0 {
		all = append(all, DialogueLine{
			At: d.last[0].At, Side: d.side, Direction: 'S',
			Text: fmt.Sprintf("… (%s lines are left out here)", grouped(int64(d.leftOut))),
		})
	}
	return append(all, d.last...)
}

// shortened cuts a line that is longer than helps, and makes it fit for a page.
func shortened(line string, rest int) string {
	if len(line) <= maxSaid && rest == 0 {
		return clean(line)
	}
	cut := strings.ToValidUTF8(line[:min(len(line), maxSaid)], "")
	return clean(cut) + fmt.Sprintf("… (%s more bytes)", grouped(int64(len(line)-len(cut)+rest)))
}
