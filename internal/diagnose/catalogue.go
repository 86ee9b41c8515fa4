package diagnose

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom"
)

// mailErrors is the catalogue of what servers say. Its head, how_to_use, is the
// contract of this package.
//
//go:embed mail-errors.yaml
var mailErrors string

// A Catalogue knows what the answers of mail servers mean. The zero Catalogue is
// ready and safe for concurrent use. It reads only the part of one protocol when
// that is first asked for, and compiles only the patterns that it gets to.
type Catalogue struct {
	// Now tells the time, for a server that names the instant of the next try;
	// nil: [time.Now].
	Now func() time.Time
	// Made is a day before which no clock can be right, by which a certificate is told
	// from our own clock; zero: the day of the catalogue.
	Made time.Time

	mu       sync.Mutex
	sections map[string][]*entry // by protocol, in the order of the catalogue
}

// An entry is one known answer.
type entry struct {
	ID       string `yaml:"id"`
	Provider string `yaml:"provider"`
	Phase    string `yaml:"phase"`
	Regex    string `yaml:"regex"`
	// Fallback says that the entry is broad: what is more exact comes first, also from
	// the section of another protocol.
	Fallback   bool           `yaml:"fallback"`
	At         []string       `yaml:"at"` // the phases in which it holds; empty: all
	Class      postroom.Class `yaml:"class"`
	Permanence string         `yaml:"permanence"`
	Backoff    *struct {
		First pause `yaml:"first"`
		Max   pause `yaml:"max"`
	} `yaml:"backoff"`
	FixBy postroom.FixBy `yaml:"fix_by"`
	// Explanation says of an OAuth server what has happened; empty: as its class does.
	Explanation string `yaml:"explanation"`
	Remedy      string `yaml:"remedy"`
	Link        struct {
		Words string `yaml:"words"`
		URL   string `yaml:"url"`
	} `yaml:"link"`
	RetryAfter *struct {
		Group int    `yaml:"group"`
		Unit  string `yaml:"unit"`
	} `yaml:"retry_after"`
	Refine []struct {
		When  string         `yaml:"when"`
		Class postroom.Class `yaml:"class"`
	} `yaml:"refine"`
	Also []postroom.Class `yaml:"also"`

	pattern func() *regexp.Regexp // compiles Regex once
}

func (e *entry) isTemporary() bool { return e.Permanence == "temporary" }

// A pause is a duration as the catalogue writes it, "5m".
type pause time.Duration

func (p *pause) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*p = pause(d)
	return err
}

// The protocols under which errors of the network are kept, in the order in
// which a text is looked up.
var networkProtocols = [...]string{"dns", "tls", "tcp"}

// The protocols whose words are heard from servers of the others too: a provider says
// the same by IMAP, POP3 and SMTP, and passes on what its OAuth server says.
var mailProtocols = [...]string{string(postroom.IMAP), string(postroom.POP3), string(postroom.SMTP), "oauth"}

// match returns the first entry of a protocol whose pattern finds itself in text,
// and what the pattern's groups caught. Broad entries come after all others.
func (c *Catalogue) match(protocol, text string) (e *entry, groups []string) {
	if e, groups := c.matchIn(protocol, text, (*entry).isExact); e != nil {
		return e, groups
	}
	return c.matchIn(protocol, text, func(e *entry) bool { return e.Fallback })
}

func (c *Catalogue) matchIn(protocol, text string, wanted func(*entry) bool) (e *entry, groups []string) {
	if protocol == recurring {
		text = text[:min(len(text), maxRecurring)]
	}
	for _, e := range c.section(protocol) {
		if !wanted(e) {
			continue
		}
		if groups := e.pattern().FindStringSubmatch(text); groups != nil {
			return e, groups
		}
	}
	return nil, nil
}

func (e *entry) isExact() bool { return !e.Fallback }

// isSharedWords says whether the words of an entry mean the same by every protocol:
// they concern the account or the connection, and no status of one protocol.
func (e *entry) isSharedWords() bool {
	switch e.Phase {
	case "auth", "any", "greeting", "token":
		return !e.Fallback && !strings.HasPrefix(e.Regex, "^")
	}
	return false
}

// matchReply looks a reply up that was given in a phase. What a section knows exactly
// comes first, then what others do, then words that recur; codes, which say less, come
// after them, and last what could be said of almost anything.
func (c *Catalogue) matchReply(protocol, phase, text string) (e *entry, groups []string) {
	if e, groups := c.matchIn(protocol, text, (*entry).isExact); e != nil {
		return e, groups
	}
	if isAboutAccount(phase) && slices.Contains(mailProtocols[:], protocol) {
		for _, other := range mailProtocols {
			if e, groups := c.matchIn(other, text, (*entry).isSharedWords); e != nil {
				return e, groups
			}
		}
	}
	at := func(e *entry) bool { return len(e.At) == 0 || phase == "" || slices.Contains(e.At, phase) }
	exact := func(e *entry) bool { return !e.Fallback && at(e) }
	broad := func(e *entry) bool { return e.Fallback && at(e) }
	if e, groups := c.matchIn(recurring, text, exact); e != nil {
		return e, groups
	}
	if e, groups := c.matchIn(protocol, text, broad); e != nil {
		return e, groups
	}
	if protocol == string(postroom.POP3) { // servers that do both borrow IMAP's codes
		if e, groups := c.matchIn(string(postroom.IMAP), text, broad); e != nil {
			return e, groups
		}
	}
	return c.matchIn(recurring, text, broad)
}

// recurring is the section of words that many servers use, each in its own sentence.
const recurring = "words"

// maxRecurring is in how many bytes of a reply they are looked for: what a server has
// to say, it says at the beginning.
const maxRecurring = 600

// isAboutAccount says whether what is said in a phase concerns the account or the
// connection, and not a folder, a message or a recipient.
func isAboutAccount(phase string) bool {
	switch phase {
	case "", "auth", "greeting", "starttls", "any", "token", "authorize":
		return true
	}
	return false
}

// find returns the entry of a protocol by its id, nil when there is none.
func (c *Catalogue) find(protocol, id string) *entry {
	for _, e := range c.section(protocol) {
		if e.ID == id {
			return e
		}
	}
	return nil
}

func (c *Catalogue) section(protocol string) []*entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries, ok := c.sections[protocol]
	if !ok {
		entries = parseSection(protocol)
		if c.sections == nil {
			c.sections = map[string][]*entry{}
		}
		c.sections[protocol] = entries
	}
	return entries
}

const entryStart = "\n- id: "

// parseSection reads the entries of one protocol. The catalogue is cut into its
// entries before it is parsed, so the parser sees nothing that is not wanted. It
// is part of the program: where it cannot be read, nobody outside is to blame.
func parseSection(protocol string) []*entry {
	mark := "\n  protocol: " + protocol + "\n"
	_, rest, _ := strings.Cut(mailErrors, "\nerrors:")
	var entries []*entry
	for _, text := range strings.Split(rest, entryStart) {
		if !strings.Contains(text, mark) {
			continue
		}
		var parsed []*entry
		if err := yaml.Unmarshal([]byte(entryStart+text), &parsed); err != nil || len(parsed) != 1 {
			panic(fmt.Sprintf("mail-errors.yaml: %d entries, %v, in %q", len(parsed), err, text))
		}
		e := parsed[0]
		e.Remedy = strings.NewReplacer("This product", "Postroom", "this product", "Postroom").Replace(e.Remedy)
		e.pattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("(?i)" + e.Regex) })
		entries = append(entries, e)
	}
	return entries
}
