package provider

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// A guideText is an entry of guides.yaml. Its texts may hold {who}, {address} and
// {name}; an address of a page may hold {address}, and {make}, which stands for the
// page of the preset where app passwords are made.
type guideText struct {
	For     string     `yaml:"for"`
	Who     string     `yaml:"who"` // as people say; empty: as the preset is called
	Why     string     `yaml:"why"`
	Since   string     `yaml:"since"`
	Checked time.Time  `yaml:"checked"`
	Source  linkText   `yaml:"source"`
	Ends    string     `yaml:"ends"` // what else ends an app password, a sentence
	Steps   []stepText `yaml:"steps"`
}

type linkText struct {
	Words string `yaml:"words"`
	URL   string `yaml:"url"`
}

type stepText struct {
	ID      string    `yaml:"id"`
	Title   string    `yaml:"title"`
	Text    string    `yaml:"text"`
	Link    linkText  `yaml:"link"`
	Skip    string    `yaml:"skip"`
	Checked time.Time `yaml:"checked"`
	// Unchecked says that this step has not been compared, although the guide has.
	Unchecked bool     `yaml:"unchecked"`
	Source    linkText `yaml:"source"`
	Omit      bool     `yaml:"omit"` // there is no such step at this provider
}

// usualSteps are the steps in the order in which they are done, with what is said
// where a guide says nothing else. A step without a text here is there only when
// the guide has it.
var usualSteps = [...]stepText{
	{ID: "why", Title: "Why it has to be an app password"},
	{ID: "plan", Title: "See whether the account may be used this way"},
	{ID: "bridge", Title: "Install the Bridge"},
	{ID: "two_step", Title: "Turn on two-step verification"},
	{ID: "enable", Title: "Let mail programs in"},
	{ID: "make", Title: "Make the app password"},
	{ID: "name", Title: "Give it a name", Text: "Where {who} asks for a name, enter {name}. By this name you find it again later."},
	{ID: "copy", Title: "Copy the app password", Text: "Copy it right away: an app password is usually shown only once. You do not have to keep it anywhere else."},
	{ID: "allow", Title: "Let mail programs in"},
	{ID: "paste", Title: "Paste it into Postroom", Text: "Paste it into the field App password of {address} in Postroom, and save. Blanks, dashes and line ends that came along do no harm. Postroom tries it at once and says whether it works."},
	{ID: "end", Title: "Take it back, if you ever want to", Text: "You can delete this app password at {who} at any time. Postroom can then no longer read {address}, and says so. Mail that is already in Postroom stays, and your normal password and your other programs are not touched."},
}

// guide fills a text in for one address.
func (t guideText) guide(p *Preset, address string) Guide {
	who := t.Who
	if who == "" {
		who = p.Called()
	}
	name := "Postroom – " + address
	fill := strings.NewReplacer("{who}", who, "{address}", address, "{name}", name).Replace
	g := Guide{
		Provider: who, ProviderID: p.ID, Title: fill("An app password for {address}"),
		Why: fill(t.Why), Since: t.Since, MailboxName: name,
	}
	for _, step := range t.steps() {
		if step.ID == "why" && p.TakesPassword {
			step.Title = "When it has to be an app password"
		}
		s := GuideStep{
			ID: step.ID, Title: fill(step.Title), Text: fill(step.Text), Skip: fill(step.Skip),
			Link: step.Link.link(p, address), Checked: step.Checked, Source: step.Source.link(p, address),
		}
		g.Steps = append(g.Steps, s)
		if s.ID == "end" {
			g.AtTheEnd = s.Text
		}
	}
	return g
}

// steps returns the usual steps with what the guide says of them, without those
// that nobody has anything to say of.
func (t guideText) steps() []stepText {
	var steps []stepText
	for _, step := range usualSteps {
		if i := slices.IndexFunc(t.Steps, func(s stepText) bool { return s.ID == step.ID }); i >= 0 {
			step = t.Steps[i].orElse(step)
		}
		switch step.ID {
		case "why":
			step.Text = t.Why
		case "end":
			step.Text = strings.TrimSpace(step.Text + " " + t.Ends)
		}
		if step.Text == "" || step.Omit {
			continue
		}
		if step.ID != "paste" { // which is done here, not there
			step = step.orElse(stepText{Checked: t.Checked, Source: t.Source})
		}
		steps = append(steps, step)
	}
	return steps
}

// orElse is a step with what it does not say taken from another.
func (s stepText) orElse(other stepText) stepText {
	for to, text := range map[*string]string{&s.Title: other.Title, &s.Text: other.Text, &s.Skip: other.Skip} {
		if *to == "" {
			*to = text
		}
	}
	if s.Link.URL == "" {
		s.Link = other.Link
	}
	if s.Source.URL == "" {
		s.Source, s.Checked = other.Source, other.Checked
	}
	if s.Unchecked {
		s.Checked = time.Time{}
	}
	return s
}

// link fills the address of a page in, with that of the mailbox escaped (RFC 3986
// section 2.1).
func (t linkText) link(p *Preset, address string) postroom.Link {
	filled := strings.ReplaceAll(t.URL, "{make}", p.AppPassword.MakeURL)
	return postroom.Link{Words: strings.ReplaceAll(t.Words, "{address}", address), URL: strings.ReplaceAll(filled, "{address}", url.QueryEscape(address))}
}
