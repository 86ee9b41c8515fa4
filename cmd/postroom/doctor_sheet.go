package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/provider"
)

// A sheet is where findings are written down for people: the settings, then a tree
// of steps that grows while they are tried, and what they mean.
type sheet struct {
	out                  io.Writer
	isScreen, hasColours bool
	provider             *provider.Preset
	err                  error // of writing

	headed  mailbox.Side   // the side whose steps are being written
	later   []mailbox.Step // of sending, while reading is still being tried
	running bool           // the last line says what goes on, and is replaced
}

// newSheet writes to the terminal: with colours, and with what is going on, where
// somebody looks at it.
func newSheet(t terminal) *sheet {
	s := &sheet{out: t.Out}
	if file, ok := t.Out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		s.isScreen = true
		s.hasColours = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" // https://no-color.org
	}
	return s
}

// The colours of a terminal (ECMA-48 section 8.3.117).
const (
	bold  = "1"
	quiet = "2"
	red   = "31"
	green = "32"
)

func (s *sheet) colour(code, text string) string {
	if !s.hasColours || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s *sheet) printf(format string, args ...any) {
	if s.running {
		s.running = false
		format = "\r\x1b[K" + format // ECMA-48 section 8.3.41: erase the line
	}
	if _, err := fmt.Fprintf(s.out, format, args...); err != nil && s.err == nil {
		s.err = err
	}
}

// goesOn writes what is being done, on a screen, until the next line takes its place.
func (s *sheet) goesOn(words string) {
	if !s.isScreen {
		return
	}
	s.printf("%s", s.colour(quiet, "  … "+words))
	s.running = true
}

// looks says that settings are being looked for.
func (s *sheet) looks(address string) { s.goesOn("Looking for the settings of " + address) }

// found writes the settings down, and where each comes from.
func (s *sheet) found(m postroom.Mailbox, found *provider.Found, side mailbox.Side) {
	s.printf("%s", s.colour(bold, m.Address))
	if found != nil {
		if s.provider = found.Provider; s.provider != nil {
			s.printf(", %s", s.provider.Name)
		}
		s.printf(" (found in %.1f s)", found.Took.Seconds())
	}
	s.printf("\n")
	if side != mailbox.OutgoingSide {
		s.server("Reading", strings.ToUpper(string(m.Incoming.Protocol)), m.Incoming.ServerSettings, whereFrom(found, mailbox.IncomingSide, m.Incoming.Host))
	}
	switch {
	case m.Outgoing != nil:
		s.server("Sending", "SMTP", m.Outgoing.ServerSettings, whereFrom(found, mailbox.OutgoingSide, m.Outgoing.Host))
	case side == mailbox.BothSides:
		s.printf("  Sending  no server was found; name it with --smtp\n")
	}
	if found == nil {
		return
	}
	for _, note := range found.Notes {
		s.printf("  - %s\n", printable(note))
	}
}

func (s *sheet) server(what, protocol string, server postroom.ServerSettings, where string) {
	at := net.JoinHostPort(server.Host, strconv.Itoa(server.Port))
	s.printf("  %s  %s %s  %s\n", what, protocol, printable(at), s.colour(quiet, printable(where)))
}

// begins is called before the first step.
func (s *sheet) begins(side mailbox.Side) {
	if side == mailbox.OutgoingSide {
		s.head(side)
	} else {
		s.head(mailbox.IncomingSide)
	}
}

func (s *sheet) head(side mailbox.Side) {
	s.headed = side
	words := "Reading"
	if side == mailbox.OutgoingSide {
		words = "Sending"
	}
	s.printf("\n%s\n", s.colour(bold, words))
}

// step writes a step down. Both sides are tried at the same time; what is said of
// sending waits until reading is through.
func (s *sheet) step(step mailbox.Step) {
	if step.Kind.IsOutgoing() && s.headed == mailbox.IncomingSide {
		if !step.Running {
			s.later = append(s.later, step)
		}
		return
	}
	if step.Running {
		s.goesOn(step.Kind.Title())
		return
	}
	s.line(step)
	if isLast := step.Kind == mailbox.StepNews || step.Fault != nil && step.Kind != mailbox.StepFolder; isLast && !step.Kind.IsOutgoing() {
		s.turn()
	}
}

// turn goes on to what is known of sending.
func (s *sheet) turn() {
	if s.headed == mailbox.OutgoingSide || len(s.later) == 0 {
		return
	}
	s.head(mailbox.OutgoingSide)
	for _, step := range s.later {
		s.line(step)
	}
	s.later = nil
}

// titleWidth is that of the longest title.
const titleWidth = 42

func (s *sheet) line(step mailbox.Step) {
	mark := s.colour(green, "✓")
	if !step.OK {
		mark = s.colour(red, "✕")
	}
	line := fmt.Sprintf("  %s %-*s %5d ms  %s", mark, titleWidth, step.Kind.Title(), step.Took.Milliseconds(), printable(step.Detail))
	s.printf("%s\n", strings.TrimRight(line, " "))
	if step.Fault != nil {
		s.why(*step.Fault)
		s.certificate(step.Certificate)
	}
}

// why writes down what a failure means, and what to do.
func (s *sheet) why(f postroom.Fault) {
	s.printf("      %s\n", s.colour(bold, printable(f.Explanation)))
	s.fact("To do", f.Remedy)
	if f.Link.URL != "" {
		s.fact("Where", strings.TrimPrefix(f.Link.Words+": ", ": ")+f.Link.URL)
	}
	s.fact("Who", whoCan(f.FixBy))
	for _, other := range f.Others {
		s.fact("Or else", other)
	}
	s.fact("Server", f.Reply)
}

func (s *sheet) fact(what, is string) {
	if is = strings.TrimSpace(is); is == "" {
		return
	}
	for i, line := range strings.Split(is, "\n") {
		if i > 0 {
			what = ""
		}
		s.printf("      %-8s %s\n", what, printable(strings.TrimSpace(line)))
	}
}

// certificate writes down what a server has shown that is not trusted.
func (s *sheet) certificate(c *mailbox.Certificate) {
	if c == nil {
		return
	}
	s.fact("Shown", fmt.Sprintf("%s, certified by %s, from %s until %s", c.Subject, c.Issuer, c.NotBefore.Format("2 January 2006"), c.NotAfter.Format("2 January 2006")))
	s.fact("For", strings.Join(c.Names, ", "))
	s.fact("SHA-256", c.SHA256)
}

// whoCan says who can put something right.
func whoCan(by postroom.FixBy) string {
	switch by {
	case postroom.FixByUser:
		return "you can do that"
	case postroom.FixByMailboxAdmin:
		return "the administrator of the mailbox, or its provider"
	case postroom.FixByAppAdmin:
		return "whoever runs Postroom, or the computer that this is tried on"
	case postroom.FixByWaiting:
		return "nobody: it passes by itself"
	}
	return ""
}

// ends writes down what is to be said once all is through.
func (s *sheet) ends(m postroom.Mailbox, r mailbox.Report, verbose bool) {
	s.turn()
	if len(r.Advice) > 0 {
		s.printf("\n%s\n", s.colour(bold, "Advice"))
	}
	for _, a := range r.Advice {
		s.printf("  %s = %s: %s\n", a.Field, a.Value, a.Words)
	}
	s.guide(m, r)
	if verbose {
		s.dialogue(r.Dialogue)
	}
	if !r.OK {
		s.printf("\n")
		return
	}
	words := "Reading and sending work."
	switch hasRead, hasSent := sidesOf(r); {
	case !hasSent:
		words = "Reading works."
	case !hasRead:
		words = "Sending works."
	}
	s.printf("\n%s\n", s.colour(green, words))
}

func sidesOf(r mailbox.Report) (hasRead, hasSent bool) {
	for _, step := range r.Steps {
		hasRead = hasRead || !step.Kind.IsOutgoing()
		hasSent = hasSent || step.Kind.IsOutgoing()
	}
	return hasRead, hasSent
}

// guide writes down the way to an app password, where that is what is missing.
func (s *sheet) guide(m postroom.Mailbox, r mailbox.Report) {
	if s.provider == nil {
		host := m.Incoming.Host
		if isLoopback(host) { // there anything may run: the address alone tells
			host = ""
		}
		s.provider, _ = new(provider.Presets).For(m.Address, host)
	}
	g, ok := s.provider.Guide(m.Address)
	isWanted := slices.ContainsFunc(r.Steps, func(step mailbox.Step) bool { return step.Fault != nil && asksForAppPassword(step.Fault.Class) })
	if !ok || !isWanted {
		return
	}
	s.printf("\n%s\n", s.colour(bold, g.Title))
	for i, step := range g.Steps {
		words := step.Title
		if step.Skip != "" {
			words += " " + s.colour(quiet, "("+strings.TrimSuffix(step.Skip, ".")+")")
		}
		s.printf("  %d. %s\n", i+1, words)
		if step.Link.URL != "" {
			s.printf("     %s\n", step.Link.URL)
		}
	}
}

// asksForAppPassword says whether an app password is what is likely missing, at a
// provider that has them.
func asksForAppPassword(c postroom.Class) bool {
	switch c {
	case postroom.AppPasswordRequired, postroom.AccountPasswordPasted, postroom.TwoStepOff, postroom.BadCredentials:
		return true
	}
	return false
}

// dialogue writes down what was said with the servers.
func (s *sheet) dialogue(lines []mailbox.DialogueLine) {
	side := mailbox.Side("none")
	for _, l := range lines {
		if l.Side != side {
			side = l.Side
			s.printf("\n%s\n", s.colour(bold, "What was said with the "+string(side)+" server"))
		}
		s.printf("  %s %c: %s\n", s.colour(quiet, l.At.Format("15:04:05.000")), l.Direction, printable(l.Text))
	}
}

// printable is a line of a server without what a terminal would obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '·'
		}
		return r
	}, text)
}
