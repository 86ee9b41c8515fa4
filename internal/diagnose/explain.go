package diagnose

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// Explain says what f means to people, and to the program whether a retry can
// help. It is nil for a [context.Canceled] without a reply: then nobody failed,
// the one who had asked stopped waiting. Otherwise it is never nil.
func (c *Catalogue) Explain(f Failure) *postroom.Fault {
	if f.Reply == "" && f.Challenge == "" && errors.Is(f.Err, context.Canceled) {
		return nil
	}
	return c.diagnose(&f).fault
}

// Backoff returns the growing pauses that the catalogue advises between tries;
// both are zero where it advises none. A pause on something that a person must
// repair is for looking again, now and then, whether it was.
func (c *Catalogue) Backoff(f Failure) (first, longest time.Duration) {
	if d := c.diagnose(&f); d.entry != nil && d.entry.Backoff != nil {
		return time.Duration(d.entry.Backoff.First), time.Duration(d.entry.Backoff.Max)
	}
	return 0, 0
}

// A diagnosis is a Fault and the entry that it was made from; nil when the
// catalogue has none.
type diagnosis struct {
	entry *entry
	fault *postroom.Fault
}

func (c *Catalogue) diagnose(f *Failure) diagnosis {
	if found, ok := c.strange(f, normalise(f.Reply)); ok {
		return c.known(f, found, normalise(f.Reply), 0)
	}
	if e, reply, groups := c.replyEntry(f); e != nil {
		return c.known(f, f.inWords(e), reply, c.asked(e, groups))
	}
	if f.Err != nil {
		if found, ok := c.network(f); ok {
			return c.known(f, found, normalise(f.Reply), 0)
		}
	}
	return f.unknown()
}

// replyEntry looks the server's words up: first the more exact ones that came
// before its answer, unless that blames the moment. Dovecot says of a token that it
// cannot ask about now that it does not take it, and then that it is unavailable.
func (c *Catalogue) replyEntry(f *Failure) (e *entry, reply string, groups []string) {
	protocol := string(f.Protocol)
	if protocol == "" {
		protocol = string(postroom.IMAP)
	}
	reply = normalise(f.Reply)
	if f.Challenge != "" {
		if e, groups := c.matchReply(protocol, f.Phase, f.heard()); e != nil && e.isTemporary() {
			return e, reply, groups
		}
	}
	for _, text := range []string{normalise(f.Challenge), f.heard()} {
		if text == "" {
			continue
		}
		if e, groups := c.matchReply(protocol, f.Phase, text); e != nil {
			if reply == "" {
				reply = text
			}
			return e, reply, groups
		}
	}
	return nil, reply, nil
}

// known makes the Fault of a cause.
func (c *Catalogue) known(f *Failure, found cause, reply string, asked time.Duration) diagnosis {
	e := found.entry
	class, refined := f.refine(e)
	fault := &postroom.Fault{
		Class:       class,
		FixBy:       e.FixBy,
		Explanation: found.explanation,
		Remedy:      found.remedy,
		Field:       found.field,
		RetryAfter:  asked,
		Reply:       f.show(reply),
		Err:         f.cause(reply),
	}
	if fault.Kind = f.kind(e, class); found.passes {
		fault.Kind = postroom.Delayed
	}
	if found.fixBy != "" {
		fault.FixBy = found.fixBy
	}
	if fault.Explanation == "" {
		fault.Explanation = f.explanation(class)
	}
	if fault.Remedy == "" {
		fault.Remedy = e.Remedy
		if refined && class != postroom.IMAPDisabled && class != postroom.POPDisabled || f.isForeign(e) {
			fault.Remedy = f.say(phraseOf(class).remedy) // the entry's is for another cause
		}
	}
	fault.Link, fault.Others = f.link(e, class), withoutRepeats(found.others, f.others(e, class))
	if fault.Field == "" {
		fault.Field = f.field(class)
	}
	if fault.RetryAfter == 0 && fault.Kind == postroom.Delayed && e.Backoff != nil && isThrottling(class) {
		fault.RetryAfter = time.Duration(e.Backoff.First) // the provider's own rule
	}
	if f.isOAuth() {
		f.byToken(e, fault)
	}
	return diagnosis{e, fault}
}

// refine returns the class of an entry after the local checks.
func (f *Failure) refine(e *entry) (class postroom.Class, refined bool) {
	for _, r := range e.Refine {
		if f.holds(r.When) {
			return r.Class, true
		}
	}
	if e.Class == postroom.BadCredentials && f.NoPasswords && !f.isOAuth() && f.CredentialKind != "" && brandOf(e.Provider) == "" {
		return postroom.BasicAuthBlocked, true // no other password is right either
	}
	return e.Class, false
}

// isForeign says whether an entry speaks of another provider than this one, in
// words that would mislead. Servers borrow texts from one another.
func (f *Failure) isForeign(e *entry) bool {
	theirs := brandOf(e.Provider)
	if theirs == "" || theirs == f.brand() || f.Host == "" {
		return false
	}
	for _, word := range []string{theirs, "Gmail", "Workspace"} {
		if strings.Contains(e.Remedy+e.Link.Words, word) {
			// An Exchange server of one's own speaks as Microsoft's cloud does.
			return !strings.Contains(e.Remedy, "Exchange")
		}
	}
	return false
}

// explanation is the sentence of a class, as it is for this credential.
func (f *Failure) explanation(class postroom.Class) string {
	sentence := phraseOf(class).explanation
	switch {
	case class == postroom.Unknown && f.Phase == "auth":
		sentence = unknownRefusal
	}
	return f.say(sentence)
}

// kind says who has to act. Nobody, when it passes by itself; the one who signs
// in, when it is the credential; otherwise somebody who repairs something else,
// and then the mailbox is looked at again now and then.
func (f *Failure) kind(e *entry, class postroom.Class) postroom.Kind {
	switch {
	case e.isTemporary():
		return postroom.Delayed
	case f.HasWorked && e.ID == "tls-plaintext-on-tls-port":
		return postroom.Delayed // what was right yesterday: more often an outage
	case isCredential(class):
		return postroom.NeedsSignIn
	}
	return postroom.NeedsRepair
}

// isCredential says whether a class, once permanent, is cured by another password
// or another sign-in, and by nothing else. A locked account or a rule of the
// organisation is not: the same credential works again once that is lifted.
func isCredential(class postroom.Class) bool {
	switch class {
	case postroom.BadCredentials, postroom.AppPasswordRequired, postroom.AccountPasswordPasted,
		postroom.TwoStepOff, postroom.BasicAuthBlocked, postroom.TokenExpired, postroom.TokenRevoked,
		postroom.ConsentMissing, postroom.AdminConsentRequired, postroom.MFARequired:
		return true
	}
	return false
}

func isThrottling(class postroom.Class) bool {
	return class == postroom.RateLimited || class == postroom.TooManyConnections || class == postroom.BandwidthExceeded
}

// field names the setting to look at, where it can only be one.
func (f *Failure) field(class postroom.Class) string {
	switch class {
	case postroom.TLSMismatch:
		return f.setting("host")
	case postroom.ProtocolMismatch:
		return f.setting("tls")
	case postroom.FolderMissing:
		return "incoming.folders"
	}
	return ""
}

// maxAsked bounds the pause that a server may impose.
const maxAsked = 24 * time.Hour

// asked is the pause that a reply asks for.
func (c *Catalogue) asked(e *entry, groups []string) time.Duration {
	if e.RetryAfter == nil || e.RetryAfter.Group >= len(groups) {
		return 0
	}
	text := groups[e.RetryAfter.Group]
	var d time.Duration
	switch e.RetryAfter.Unit {
	case "rfc3339":
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return 0
		}
		d = at.Sub(c.now())
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0
		}
		unit := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "min": time.Minute}[e.RetryAfter.Unit]
		d = time.Duration(min(n, int64(maxAsked/time.Millisecond))) * unit
	}
	return min(max(d, 0), maxAsked)
}

// unknown makes the Fault of what the catalogue does not know. Only a clear no to
// something that has never worked asks for a person; the rest may pass.
func (f *Failure) unknown() diagnosis {
	reply := normalise(f.Reply)
	if reply == "" {
		reply = normalise(f.Challenge)
	}
	fault := &postroom.Fault{
		Kind:        postroom.Delayed,
		Class:       postroom.Unknown,
		FixBy:       postroom.FixByMailboxAdmin,
		Explanation: f.explanation(postroom.Unknown),
		Remedy:      phraseOf(postroom.Unknown).remedy,
		Reply:       f.show(reply),
		Err:         f.cause(reply),
	}
	switch refused := isRefusal(f.heard()) && !f.HasWorked; {
	case refused && f.Phase == "auth":
		fault.Kind, fault.FixBy = postroom.NeedsSignIn, postroom.FixByUser
		fault.Remedy = remedyUnknownRefusal
		if f.isOAuth() {
			fault.Remedy = remedyUnknownSign
		}
	case refused:
		fault.Kind = postroom.NeedsRepair
	case reply == "":
		fault.FixBy = postroom.FixByWaiting
		fault.Explanation = f.say(brokeOff)
		fault.Remedy = remedyWait
	}
	return diagnosis{nil, fault}
}

// cause is the error behind a Fault. It prints without what scrub takes out, and
// unwraps to what happened.
func (f *Failure) cause(reply string) error {
	if f.Err == nil {
		return errors.New(f.scrub(reply))
	}
	return &scrubbed{text: f.scrub(f.Err.Error()), err: f.Err}
}

type scrubbed struct {
	text string
	err  error
}

func (s *scrubbed) Error() string { return s.text }
func (s *scrubbed) Unwrap() error { return s.err }
