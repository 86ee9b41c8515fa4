package mailbox

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/postroom/postroom"
)

// The limits of settings.
const (
	maxName         = 200  // characters
	maxFolders      = 100  // in one mailbox
	maxFolderName   = 1000 // bytes
	minTimeout      = time.Second
	maxTimeout      = 5 * time.Minute
	maxPollInterval = 24 * time.Hour
)

// Rules are what the administrator of an installation allows.
type Rules struct {
	// AllowPlaintext lets connections to other computers go without encryption.
	AllowPlaintext bool
	// Now is the instant that a start date is compared with.
	Now time.Time
}

// Complete returns m with every setting that nobody chose filled in and every
// other one brought into the form in which it is kept. What cannot be used is a
// Fault of kind Invalid that names the field.
func (r Rules) Complete(m postroom.Mailbox) (postroom.Mailbox, error) {
	for _, step := range []func(*postroom.Mailbox) error{
		completeAddress, r.completeIncoming, r.completeOutgoing, completeFolders, completeTimes,
		r.completeStart, completeAfterImport, completeRetention, completeVisibility,
	} {
		if err := step(&m); err != nil {
			return postroom.Mailbox{}, err
		}
	}
	return m, nil
}

// CompleteSide is Complete for settings of which only one side is wanted: those of
// the other may be missing.
func (r Rules) CompleteSide(m postroom.Mailbox, side Side) (postroom.Mailbox, error) {
	if side == IncomingSide {
		m.Outgoing = nil
	}
	isAlone := side == OutgoingSide && isBlank(m.Incoming.Host)
	if isAlone {
		m = withSomeServer(m)
	}
	m, err := r.Complete(m)
	if isAlone {
		m.Incoming.Host = ""
	}
	return m, err
}

// invalid is the Fault for a setting that cannot be used.
func invalid(field, explanation, remedy string) error {
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: field,
		Explanation: explanation, Remedy: remedy,
	}
}

func (r Rules) completeIncoming(m *postroom.Mailbox) error {
	in := &m.Incoming
	if err := completeProtocol(in); err != nil {
		return err
	}
	if strings.TrimSpace(in.Host) == "" {
		return invalid("incoming.host",
			"The name of the incoming server is missing.",
			"Enter the server’s name, such as imap.example.net. Whoever runs the mailbox knows it.")
	}
	s, err := r.completeServer(in.ServerSettings, incomingServer(in.Protocol))
	in.ServerSettings = s
	return err
}

// completeProtocol goes by what the address of the server says where nobody chose
// a protocol.
func completeProtocol(in *postroom.IncomingSettings) error {
	pasted := pastedProtocol(in.Host)
	switch in.Protocol {
	case "":
		in.Protocol = postroom.IMAP
		if pasted != "" {
			in.Protocol = pasted
		}
	case postroom.IMAP, postroom.POP3:
	default:
		return invalid("incoming.protocol",
			quote(string(in.Protocol))+" is no way to read a mailbox.", "Choose imap or pop3.")
	}
	if pasted != "" && pasted != in.Protocol {
		return invalid("incoming.protocol",
			quote(in.Host)+" is the address of a server for "+protocolInWords(pasted)+", and "+protocolInWords(in.Protocol)+" is chosen.",
			"Choose "+string(pasted)+", or enter the name of the other server.")
	}
	return nil
}

// protocolInWords is a protocol as people write it.
func protocolInWords(p postroom.Protocol) string { return strings.ToUpper(string(p)) }

func (r Rules) completeOutgoing(m *postroom.Mailbox) error {
	if m.Outgoing == nil {
		return nil
	}
	if strings.TrimSpace(m.Outgoing.Host) == "" {
		return invalid("outgoing.host",
			"The name of the outgoing server is missing.",
			"Enter the server’s name, such as smtp.example.net, or leave the outgoing server out: the mailbox then only reads.")
	}
	s, err := r.completeServer(m.Outgoing.ServerSettings, outgoingServer)
	m.Outgoing = &postroom.OutgoingSettings{ServerSettings: s}
	return err
}

func completeFolders(m *postroom.Mailbox) error {
	const field = "incoming.folders"
	if len(m.Incoming.Folders) == 0 {
		m.Incoming.Folders = []string{"INBOX"}
		return nil
	}
	if m.Incoming.Protocol == postroom.POP3 {
		if len(m.Incoming.Folders) > 1 || !strings.EqualFold(strings.TrimSpace(m.Incoming.Folders[0]), "INBOX") {
			return invalid(field,
				"POP3 knows no folders: it gives what is in the inbox and nothing else.",
				"Leave INBOX as the only folder, or read the mailbox by IMAP.")
		}
		m.Incoming.Folders = []string{"INBOX"}
		return nil
	}
	if len(m.Incoming.Folders) > maxFolders {
		return invalid(field,
			fmt.Sprintf("%d folders are more than one mailbox can have here.", len(m.Incoming.Folders)),
			fmt.Sprintf("Choose %d folders at most.", maxFolders))
	}
	folders := make([]string, 0, len(m.Incoming.Folders))
	for _, f := range m.Incoming.Folders {
		f = strings.TrimSpace(f)
		if strings.EqualFold(f, "INBOX") { // the one name without case (RFC 9051 section 5.1)
			f = "INBOX"
		}
		switch {
		case f == "":
			return invalid(field, "A folder without a name is in the list.", "Take it out, or write its name.")
		case len(f) > maxFolderName || hasControls(f):
			return invalid(field, quote(f)+" cannot be the name of a folder.", "Write the name as the mail program shows it.")
		case slices.Contains(folders, f):
			return invalid(field, "The folder "+quote(f)+" is in the list twice.", "Take it out once.")
		}
		folders = append(folders, f)
	}
	m.Incoming.Folders = folders
	return nil
}

func completeTimes(m *postroom.Mailbox) error {
	in := &m.Incoming
	for _, t := range []struct {
		field           string
		value           *time.Duration
		usual, min, max time.Duration
		what            string
	}{
		{"incoming.connect_timeout", &in.ConnectTimeout, postroom.DefaultConnectTimeout, minTimeout, maxTimeout, "to wait for a connection"},
		{"incoming.auth_timeout", &in.AuthTimeout, postroom.DefaultAuthTimeout, minTimeout, maxTimeout, "to wait for the sign-in"},
		{"incoming.poll_interval", &in.PollInterval, postroom.DefaultPollInterval, postroom.MinPollInterval, maxPollInterval, "between two looks at the mailbox"},
	} {
		if *t.value == 0 {
			*t.value = t.usual
		}
		if *t.value < t.min || *t.value > t.max {
			return invalid(t.field,
				fmt.Sprintf("%s is not a time %s that can be used.", inWords(*t.value), t.what),
				fmt.Sprintf("Choose between %s and %s; usual is %s.", inWords(t.min), inWords(t.max), inWords(t.usual)))
		}
	}
	return nil
}

func (r Rules) completeStart(m *postroom.Mailbox) error {
	switch m.Start.Kind {
	case "", postroom.StartNow:
		m.Start.Kind = postroom.StartNow
	case postroom.StartAll:
		m.Start.At = time.Time{}
	case postroom.StartDate:
		if m.Start.At.IsZero() {
			return invalid("start", "The day from which mail is brought in is missing.", "Write it as 2026-11-20, or choose now or all.")
		}
		if m.Start.At.After(r.Now) {
			return invalid("start",
				"Mail cannot be brought in from "+m.Start.At.Format("2 January 2006")+" on, because that day is still to come.",
				"Choose a day in the past, or now.")
		}
		m.Start.At = m.Start.At.UTC().Truncate(time.Microsecond)
	default:
		return invalid("start", quote(string(m.Start.Kind))+" is no start.", "Choose now, all, or a day such as 2026-11-20.")
	}
	return nil
}

func completeVisibility(m *postroom.Mailbox) error {
	v := &m.Visibility
	switch v.Kind {
	case "", postroom.VisibleToEveryone:
		*v = postroom.Visibility{Kind: postroom.VisibleToEveryone}
	case postroom.VisibleToOwner:
		v.Users = nil
		if m.Owner == 0 {
			return invalid("visible_to", "This mailbox is for its owner only, and it has no owner.", "Choose its owner, or who else may see its mail.")
		}
	case postroom.VisibleToUsers:
		if len(v.Users) == 0 {
			return invalid("visible_to", "Nobody is named who may see the mail.", "Name at least one person, or choose everyone.")
		}
		users := slices.Clone(v.Users)
		slices.Sort(users)
		v.Users = slices.Compact(users)
	default:
		return invalid("visible_to", quote(string(v.Kind))+" says nothing about who may see the mail.", "Choose everyone, owner, or a list of people.")
	}
	return nil
}

// quote is a text from outside within a sentence.
func quote(text string) string {
	const enough = 60
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
	if utf8.RuneCountInString(text) > enough {
		text = string([]rune(text)[:enough]) + "…"
	}
	return "“" + text + "”"
}

func hasControls(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl)
}

// inWords is a duration as people say it.
func inWords(d time.Duration) string {
	unit := func(n int64, one string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %ss", n, one)
	}
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return unit(int64(d/time.Hour), "hour")
	case d >= time.Minute && d%time.Minute == 0:
		return unit(int64(d/time.Minute), "minute")
	case d%time.Second == 0:
		return unit(int64(d/time.Second), "second")
	case d%time.Millisecond == 0:
		return unit(int64(d/time.Millisecond), "millisecond")
	}
	return d.String()
}
