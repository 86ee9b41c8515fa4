package simulator

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"net/mail"
	"strings"
	"time"
)

// The two mailboxes of the pretend company.
const (
	SupportAddress = "support@example.net"
	SalesAddress   = "sales@example.net"
	companyName    = "Harbour Cycles"
)

// A Letter is a message and the mailbox that it goes to.
type Letter struct {
	Account string // an address
	Raw     []byte
	Date    time.Time
}

// A Drip writes the mail that a small business gets: questions, complaints, offers,
// the replies to them, and what machines send. The same seed writes the same
// letters. After the last of some 50 it begins again with other people and numbers.
type Drip struct {
	seed    uint64
	random  *rand.Rand
	stories []story
	told    int    // letters written, which also makes Message-IDs unique
	next    int    // story that begins next
	open    []talk // conversations that go on
}

// A talk is a conversation with letters still to come.
type talk struct {
	story  story
	turn   int
	due    int // once so many letters are written
	from   mail.Address
	fill   *strings.Replacer
	ids    []string // Message-IDs so far
	quoted string   // text of the last letter
}

// NewDrip begins a drip.
func NewDrip(seed uint64) (*Drip, error) {
	stories, err := readStories(letterTexts)
	if err != nil {
		return nil, err
	}
	return &Drip{seed: seed, random: rand.New(rand.NewPCG(seed, 1)), stories: stories}, nil
}

// Next writes the next letter, as of now.
func (d *Drip) Next(now time.Time) Letter {
	for i, t := range d.open {
		if t.due <= d.told {
			d.open = append(d.open[:i:i], d.open[i+1:]...)
			return d.write(t, now)
		}
	}
	s := d.stories[d.next%len(d.stories)]
	again := d.next >= len(d.stories)
	d.next++
	return d.write(d.begin(s, again), now)
}

// Backlog writes n letters that have arrived before now, oldest first, one or two
// an hour. They come from the end of the stock, so that Next still has its best.
func (d *Drip) Backlog(n int, now time.Time) []Letter {
	var letters []Letter
	dates := make([]time.Time, n)
	for i := range dates {
		now = now.Add(-time.Duration(20+d.random.IntN(70)) * time.Minute)
		dates[n-1-i] = now
	}
	for back := 1; len(letters) < n; back++ {
		last := len(d.stories) - 1 - (back-1)%len(d.stories)
		t := d.begin(d.stories[last], back > len(d.stories))
		for t.turn < len(t.story.turns) && len(letters) < n {
			letters = append(letters, d.writeTurn(&t, dates[len(letters)]))
		}
	}
	return letters
}

// begin opens a conversation; again says that the story was told before, so that
// somebody else has to tell it.
func (d *Drip) begin(s story, again bool) talk {
	from := s.turns[0].from
	if again && s.turns[0].isPersonal() {
		from = newcomer(d.random)
	}
	return talk{story: s, from: from, fill: d.details()}
}

// details fills in what differs each time.
func (d *Drip) details() *strings.Replacer {
	pick := func(of ...string) string { return of[d.random.IntN(len(of))] }
	return strings.NewReplacer(
		"{order}", fmt.Sprintf("HC-%05d", 40000+d.random.IntN(20000)),
		"{product}", pick("Breakwater 8", "Lighthouse City", "Pilot E-Trekking", "Anchor Cargo", "Gull Folding", "Mole 24"),
		"{size}", pick("S", "M", "L", "XL"),
		"{weekday}", pick("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
		"{month}", pick("March", "May", "September", "October"),
		"{amount}", fmt.Sprintf("%d.%02d", 40+d.random.IntN(900), d.random.IntN(100)),
	)
}

func (d *Drip) write(t talk, now time.Time) Letter {
	letter := d.writeTurn(&t, now)
	if t.turn < len(t.story.turns) {
		t.due = d.told + t.story.turns[t.turn].later
		d.open = append(d.open, t)
	}
	return letter
}

func (d *Drip) writeTurn(t *talk, now time.Time) Letter {
	turn := t.story.turns[t.turn]
	d.told++
	l := sheet{
		turn: turn, random: d.random, at: now, account: t.story.account, from: t.from,
		id:      fmt.Sprintf("%x.%d.%08x@mail.example.com", d.seed, d.told, d.random.Uint32()),
		answers: t.ids, first: t.story.turns[0], fill: t.fill, quoted: t.quoted,
	}
	raw := l.write()
	t.ids = append(t.ids, l.id)
	t.quoted = t.fill.Replace(turn.text)
	t.turn++
	return Letter{Account: t.story.account, Raw: raw, Date: now}
}

// newcomer makes somebody up.
func newcomer(r *rand.Rand) mail.Address {
	first := []string{"Amelia", "Matteo", "Zoë", "Ibrahim", "Klára", "Sanna", "Rafał", "Noémie", "Tobias", "Aroha", "Deepak", "Inês", "Müge", "Callum", "Сергій", "美咲"}
	last := []string{"Lindqvist", "O'Donnell", "García", "Novák", "Schröder", "Mensah", "Kaur", "Moreau", "Petrov", "Ó Briain", "Yamamoto", "Haddad", "Costa", "Whitfield"}
	place := []string{"example.com", "example.org", "mail.example.com", "post.example.org"}
	name := first[r.IntN(len(first))] + " " + last[r.IntN(len(last))]
	return mail.Address{Name: name, Address: fmt.Sprintf("customer%04d@%s", r.IntN(10000), place[r.IntN(len(place))])}
}

//go:embed letters.txt
var letterTexts string
