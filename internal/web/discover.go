package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

// A discoveryView is what was found for an address, against what a form holds.
type discoveryView struct {
	Sentence string
	Tone     string // good or wait
	Notes    []string
	Meant    string          // the address that was probably meant; empty: this one
	Rows     []differenceRow // fields that differ
	Same     bool            // what was found stands in the form
	Filled   bool            // it was put there just now
	Nothing  bool            // no server was found
	Taken    bool            // what was ticked was put there just now
	Look     bool            // it should be looked at before it is used
	Incoming []choice        // the servers found for reading; fewer than two are no choice
	Outgoing []choice
	Fill     string // where “Use these” is answered
	Ask      string // where another choice is
}

// A differenceRow is a field whose value differs from what was found.
type differenceRow struct {
	Field, Word string
	Now, Found  string // as people read them
	Value       string // as the form takes it
	From        string
}

// serverFields are the fields that discovery fills, with the words for them.
func serverFields() []struct{ Field, Word string } {
	return []struct{ Field, Word string }{
		{"incoming.protocol", "Read by"}, {"incoming.host", "Server for reading"}, {"incoming.port", "Its port"},
		{"incoming.tls", "Its encryption"}, {"incoming.username", "User name"},
		{"outgoing.host", "Server for sending"}, {"outgoing.port", "Its port"}, {"outgoing.tls", "Its encryption"}, {"outgoing.username", "User name for sending"},
	}
}

// filledField holds what discovery put into a form, so that it can tell what somebody
// has typed since.
const filledField = "filled"

// discoverNew handles POST /mailboxes/discover: the settings of the address in a form.
func (s *Server) discoverNew(w http.ResponseWriter, r *http.Request, by visitor) error {
	return s.discoverFor(w, r, by, 0)
}

// discoverKept handles POST /mailboxes/{id}/discover.
func (s *Server) discoverKept(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.discoverFor(w, r, by, id)
}

func (s *Server) discoverFor(w http.ResponseWriter, r *http.Request, by visitor, id postroom.MailboxID) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	values := r.PostForm
	address := strings.TrimSpace(values.Get("address"))
	if !strings.Contains(address, "@") {
		return s.answerForm(w, r, by, idText(id), formSays{Found: &discoveryView{}}, nil) // somebody is still typing
	}
	found, err := s.Mailboxes.Discover(r.Context(), by.Viewer, address)
	if err != nil {
		return s.answerForm(w, r, by, idText(id), formSays{Found: s.notFound(err, idText(id))}, err)
	}
	chosen := chooseFound(found, values)
	view := describeFound(found, chosen, values, idText(id))
	if isUntouched(values) && chosen.any() {
		chosen.fill(values)
		view.Rows, view.Filled, view.Same = nil, true, true
		if view.Look = chosen.needLook(); view.Look {
			view.Tone = "wait"
		}
	}
	return s.answerForm(w, r, by, idText(id), formSays{Found: &view}, nil)
}

// notFound says why nothing was found. What is wrong with the address itself is said
// beside it.
func (s *Server) notFound(err error, id string) *discoveryView {
	v := &discoveryView{Tone: "wait", Ask: formAt(id, "discover")}
	if f, ok := postroom.FaultOf(err); ok && f.Field == "" {
		v.Sentence, v.Nothing = f.Explanation+" "+f.Remedy, true
	}
	return v
}

// A chosenServers is one server for each side, of those that were found.
type chosenServers struct {
	Incoming, Outgoing *provider.Candidate // nil: none was found
	Address            string
}

// chooseFound goes by what was chosen in the page, or takes the best.
func chooseFound(found provider.Found, values url.Values) chosenServers {
	pick := func(field string, all []provider.Candidate) *provider.Candidate {
		if len(all) == 0 {
			return nil
		}
		n, err := strconv.Atoi(values.Get(field))
		if err != nil || n < 0 || n >= len(all) {
			n = 0
		}
		return &all[n]
	}
	return chosenServers{pick("found.incoming", found.Incoming), pick("found.outgoing", found.Outgoing), found.Address}
}

// needLook says whether a person should see the servers before a password goes there.
func (c chosenServers) needLook() bool {
	for _, s := range []*provider.Candidate{c.Incoming, c.Outgoing} {
		if s != nil && s.Confirm {
			return true
		}
	}
	return false
}

func (c chosenServers) any() bool { return c.Incoming != nil || c.Outgoing != nil }

// values are the servers as the fields of a form.
func (c chosenServers) values() url.Values {
	v := url.Values{}
	set := func(side string, s *provider.Candidate) {
		if s == nil {
			return
		}
		v.Set(side+".host", s.Host)
		v.Set(side+".port", strconv.Itoa(s.Port))
		v.Set(side+".tls", string(s.TLS))
		v.Set(side+".username", s.Username)
		if strings.EqualFold(s.Username, c.Address) {
			v.Set(side+".username", "") // as the form says: empty where it is the address
		}
	}
	set("incoming", c.Incoming)
	set("outgoing", c.Outgoing)
	if c.Incoming != nil {
		v.Set("incoming.protocol", string(c.Incoming.Protocol))
	}
	return v
}

func (c chosenServers) from(field string) string {
	side := c.Incoming
	if strings.HasPrefix(field, "outgoing.") {
		side = c.Outgoing
	}
	if side == nil {
		return ""
	}
	return side.Words()
}

// fill puts the servers into a form where nobody has typed any, in the place of those
// that were found for another address before.
func (c chosenServers) fill(values url.Values) {
	found := c.values()
	for _, f := range serverFields() {
		if found.Has(f.Field) {
			values.Set(f.Field, found.Get(f.Field))
		} else if !strings.HasSuffix(f.Field, ".tls") && f.Field != "incoming.protocol" {
			values.Del(f.Field)
		}
	}
	values.Set(filledField, serverText(values))
}

// serverText is what the server fields of a form hold.
func serverText(values url.Values) string {
	var parts []string
	for _, f := range serverFields() {
		parts = append(parts, strings.TrimSpace(values.Get(f.Field)))
	}
	return strings.Join(parts, "|")
}

// isUntouched says whether nobody has typed a server: the form holds none, or the one
// that discovery put there.
func isUntouched(values url.Values) bool {
	if filled := values.Get(filledField); filled != "" && filled == serverText(values) {
		return true
	}
	for _, f := range serverFields() {
		switch {
		case f.Field == "incoming.protocol", strings.HasSuffix(f.Field, ".tls"): // which always have a value
		case strings.TrimSpace(values.Get(f.Field)) != "":
			return false
		}
	}
	return true
}

// describeFound holds what was found against what a form holds.
func describeFound(found provider.Found, chosen chosenServers, values url.Values, id string) discoveryView {
	v := discoveryView{Tone: "good", Fill: formAt(id, "fill"), Ask: formAt(id, "discover")}
	for _, note := range found.Notes {
		if meant, ok := strings.CutPrefix(note, "Did you mean "); ok && strings.Contains(meant, "@") {
			v.Meant = strings.TrimSuffix(meant, "?")
			continue
		}
		v.Notes = append(v.Notes, note)
	}
	v.Incoming, v.Outgoing = serverChoices(found.Incoming, chosen.Incoming), serverChoices(found.Outgoing, chosen.Outgoing)
	if !chosen.any() {
		v.Tone, v.Nothing = "wait", true
		v.Sentence = "No servers were found for " + found.Domain + "."
		return v
	}
	v.Sentence = serverLine(chosen.values(), providerName(found)) + " — " + chosenFrom(chosen, providerName(found)) + "."
	wanted := chosen.values()
	for _, f := range serverFields() {
		value := wanted.Get(f.Field)
		if !wanted.Has(f.Field) || sameSetting(f.Field, values, value) {
			continue
		}
		v.Rows = append(v.Rows, differenceRow{
			Field: f.Field, Word: f.Word, Value: value, From: chosen.from(f.Field),
			Now: settingWords(f.Field, values.Get(f.Field)), Found: settingWords(f.Field, value),
		})
	}
	v.Same = len(v.Rows) == 0
	return v
}

func providerName(found provider.Found) string {
	if found.Provider == nil {
		return ""
	}
	return found.Provider.Name
}

// chosenFrom says where servers come from. The name that stands before them is not
// said again.
func chosenFrom(c chosenServers, name string) string {
	var words []string
	for _, s := range []*provider.Candidate{c.Incoming, c.Outgoing} {
		if s == nil {
			continue
		}
		if from := strings.TrimSuffix(s.Words(), " ("+name+")"); !slices.Contains(words, from) {
			words = append(words, from)
		}
	}
	return strings.Join(words, "; sending: ")
}

// serverChoices are the servers of one side, where there are several.
func serverChoices(all []provider.Candidate, chosen *provider.Candidate) (choices []choice) {
	if len(all) < 2 {
		return nil
	}
	for i := range all {
		c := all[i]
		word := c.Host + ", port " + strconv.Itoa(c.Port)
		if c.Protocol != postroom.SMTP {
			word = strings.ToUpper(string(c.Protocol)) + ": " + word
		}
		if c.TLS != postroom.TLSImplicit {
			word += ", " + settingWords("tls", string(c.TLS))
		}
		choices = append(choices, choice{Value: strconv.Itoa(i), Word: word, Help: c.Words(), Chosen: chosen == &all[i]})
	}
	return choices
}

// sameSetting says whether a form holds what was found. An empty user name is the
// address, and an empty port the usual one.
func sameSetting(field string, values url.Values, found string) bool {
	now := strings.TrimSpace(values.Get(field))
	switch {
	case strings.HasSuffix(field, ".host"):
		return strings.EqualFold(now, found)
	case strings.HasSuffix(field, ".username"):
		address := strings.TrimSpace(values.Get("address"))
		or := func(name string) string {
			if name == "" {
				return address
			}
			return name
		}
		return strings.EqualFold(or(now), or(found))
	case strings.HasSuffix(field, ".port") && now == "":
		side, _, _ := strings.Cut(field, ".")
		return found == usualPort(side, values.Get("incoming.protocol"), values.Get(side+".tls"))
	case field == "incoming.protocol" && now == "":
		return found == string(postroom.IMAP)
	}
	return now == found
}

// usualPort is the port that an empty field stands for.
func usualPort(side, protocol, tls string) string {
	usual := [2]string{"993", "143"} // TLS from the first byte, and otherwise
	switch {
	case side == "outgoing":
		usual = [2]string{"465", "587"}
	case protocol == string(postroom.POP3):
		usual = [2]string{"995", "110"}
	}
	if tls == "" || tls == string(postroom.TLSImplicit) {
		return usual[0]
	}
	return usual[1]
}

// settingWords are the value of a field as people read it.
func settingWords(field, value string) string {
	switch {
	case strings.HasSuffix(field, "protocol"):
		return strings.ToUpper(value)
	case strings.HasSuffix(field, "tls"):
		switch postroom.TLSPolicy(value) {
		case postroom.TLSImplicit:
			return "TLS from the first byte"
		case postroom.TLSStart:
			return "TLS after STARTTLS"
		case postroom.TLSNone:
			return "none"
		}
	case value == "" && strings.HasSuffix(field, ".username"):
		return "the address"
	case value == "" && strings.HasSuffix(field, ".port"):
		return "the usual one"
	}
	return value
}

// serverLine is the servers of a form in one line: "Gmail: imap.gmail.com by IMAP,
// sending by smtp.gmail.com".
func serverLine(values url.Values, name string) string {
	in, out := strings.TrimSpace(values.Get("incoming.host")), strings.TrimSpace(values.Get("outgoing.host"))
	var line string
	switch {
	case in == "" && out == "":
		return ""
	case in == "":
		line = "sending by " + out
	default:
		protocol := values.Get("incoming.protocol")
		if protocol == "" {
			protocol = string(postroom.IMAP)
		}
		line = in + " by " + strings.ToUpper(protocol)
		if out != "" {
			line += ", sending by " + out
		}
	}
	if name != "" {
		line = name + ": " + line
	}
	return line
}
