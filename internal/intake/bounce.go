package intake

import (
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
)

// deliveryReport reads the groups of a message/delivery-status: fields of the
// message, then a group for each recipient (RFC 3464 section 2). False when no
// group speaks of a recipient.
func (u *Understanding) deliveryReport(groups []mime.Header) bool {
	worst := ""
	for _, g := range groups {
		r := BouncedRecipient{
			Address:  typedValue(g.Get("Final-Recipient")),
			Original: typedValue(g.Get("Original-Recipient")),
			Action:   firstWord(g.Get("Action")),
			Status:   firstWord(g.Get("Status")),
			Reason:   typedValue(g.Text("Diagnostic-Code")),
		}
		if r.Address == "" {
			r.Address = r.Original
		}
		if r.Address == "" && r.Action == "" {
			continue
		}
		u.Bounce.Recipients = append(u.Bounce.Recipients, r)
		if rank(r.Action) > rank(worst) {
			worst = r.Action
		}
	}
	u.Bounce.OriginalMessageID = u.enclosedID()
	switch worst {
	case "failed", "expired":
		u.settle(postroom.KindBounce, "A delivery report says that the delivery failed (RFC 3464).")
	case "delayed":
		u.settle(postroom.KindDelay, "A delivery report says that the delivery is delayed (RFC 3464).")
	case "delivered", "relayed", "expanded", "deliverable":
		u.settle(postroom.KindDelivered, "A delivery report says that the message was "+worst+" (RFC 3464).")
	default:
		return false
	}
	return true
}

func rank(action string) int {
	switch action {
	case "failed", "expired": // the latter is SendGrid's
		return 3
	case "delayed":
		return 2
	case "delivered", "relayed", "expanded", "deliverable": // the last is Postfix's, of an address that was only verified
		return 1
	}
	return 0
}

// typedValue is a field's value without its type: "rfc822; a@b" is a@b.
func typedValue(value string) string {
	if kind, rest, ok := strings.Cut(value, ";"); ok && !strings.ContainsAny(strings.TrimSpace(kind), " @") {
		value = rest
	}
	return strings.Trim(value, " \t<>")
}

// enclosedID is the Message-ID of the message that a report encloses; of one that
// is copied into the text, the first that is named there.
func (u *Understanding) enclosedID() string {
	for _, p := range u.Parts {
		switch p.Type {
		case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers":
			for _, h := range p.Fields {
				if id := h.MessageID(); id != "" {
					return id
				}
			}
		}
	}
	for line := range strings.Lines(u.noticeText()) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok && strings.EqualFold(name, "Message-ID") {
			value = strings.TrimSpace(value)
			if id := strings.Trim(value, "<>"); strings.Contains(id, "@") && !strings.ContainsAny(id, " <>") {
				return id
			}
		}
	}
	return ""
}
