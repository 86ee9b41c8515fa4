package intake

import (
	"regexp"
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// byNotice knows a mail system's notice in prose by its subject and by the words
// that such programs use.
func (u *Understanding) byNotice() bool {
	subject := strings.ToLower(u.Subject)
	text := strings.ToLower(u.noticeText())
	about := text[:min(len(text), 3000)]
	switch {
	case containsAny(subject, successSubjects):
		u.settle(postroom.KindDelivered, "A mail system says that the message was delivered.")
	case containsAny(subject, delaySubjects) && !containsAny(about, finalWords) || containsAny(about, delayWords):
		u.settle(postroom.KindDelay, "A mail system says that the delivery is late.")
	case containsAny(subject, failureSubjects) || containsAny(about, failureWords) || u.Header.Has("X-Failed-Recipients"):
		u.settle(postroom.KindBounce, "A mail system says in words that the delivery failed.")
	default:
		return false
	}
	u.noticeRecipients()
	return true
}

// noticeText is the prose of a notice; of one in HTML alone, its text.
func (u *Understanding) noticeText() string {
	if strings.TrimSpace(u.Text) == "" && u.HTML != "" {
		return TextOfHTML(u.HTML[:min(len(u.HTML), 64<<10)])
	}
	return u.Text[:min(len(u.Text), 64<<10)]
}

// hasNoticeText says whether a text opens as only programs write.
func hasNoticeText(text string) bool {
	return containsAny(strings.ToLower(text[:min(len(text), 1000)]), openings)
}

var openings = []string{
	"this message was created automatically by mail", "this is an automatically generated delivery status notification", "non-delivery report ---",
	"------ failed recipients ------", "failed recipient:", "there was an error delivering your mail to", "had permanent fatal errors",
	"could not be delivered to one or more of its recipients", "could not be delivered to one or more recipients", "this is the mail system at host",
	"following recipient(s) could not be reached", "the following addresses had", "error: invalid user address", "message from interscan",
	"\"notificationtype\":\"bounce\"", "\\\"notificationtype\\\":\\\"bounce\\\"",
}

var successSubjects = []string{"successful mail delivery report", "delivery status notification (success)", "delivered:", "relayed:", "expanded:", "message delivered", "delivery confirmation"}

var delaySubjects = []string{"(delay)", "delivery delayed", "delayed", "warning: could not send", "still being retried", "warning - delayed", "delivery is delayed", "message delayed", "warning: message", "delay notification"}

var delayWords = []string{
	"this is a warning message only", "you do not need to resend", "do not need to resend your message", "will continue to try", "will keep trying", "will be retried", "delivery attempts will continue",
	"still trying to deliver", "has not yet been delivered", "has been delayed", "will continue trying", "delivery to the following recipients has been delayed", "has not been delivered yet",
	"message will be retried", "no action is required on your part",
}

// finalWords overrule a subject that speaks of a delay.
var finalWords = []string{"failed permanently", "permanent error", "permanent fatal", "giving up", "gave up", "could not be delivered to one or more"}

var failureSubjects = []string{
	"undeliver", "delivery fail", "failed delivery", "delivery has failed", "failure", "returned mail", "returned to sender", "return to sender", "mail system error", "not delivered", "non-delivery", "nondeliverable", "non delivery",
	"could not be delivered", "could not send", "couldn't be delivered", "can't be delivered", "cannot be delivered", "error during delivery", "error sending your mail", "delivery status", "delivery report", "delivery notification",
	"delivery error", "delivery problem", "mail error", "user unknown", "unknown user", "failed mail", "mail failed", "rejected", "bounce", "undelivered", "unzustellbar", "nicht zustellbar", "zustellung", "non remis", "échec", "no entregado", "no se puede entregar",
	"mancata consegna", "não entregue", "onbestelbaar", "niet bezorgd", "не доставлено", "недоставленн", "メールエラー", "配信不能", "配達不能", "エラー", "退信", "无法", "传输失败", "投递失败", "系统退信", "mail could not", "message status - undeliverable",
	"permanent delivery", "no such user", "wrong recipient", "address unknown", "invalid recipient", "undeliverable",
}

var failureWords = []string{
	"could not be delivered", "couldn't be delivered", "cannot be delivered", "can not be delivered", "can't be delivered", "unable to deliver", "was not delivered", "not be delivered", "wasn't delivered", "did not reach the following", "undeliverable", "undelivered",
	"failed permanently", "permanent error", "permanent fatal", "permanent failure", "delivery failed", "delivery has failed", "delivery to the following", "user unknown", "unknown user", "no such user", "does not exist", "doesn't exist",
	"mailbox unavailable", "mailbox full", "mailbox is full", "over quota", "quota exceeded", "had problems", "fatal error", "trouble delivering", "error delivering", "returned to sender", "too many hops", "nicht zugestellt", "konnte nicht", "n'a pas pu être",
	"invalid user", "invalid recipient", "failed recipient", "recipient rejected", "address rejected", "host unknown", "host not found", "\"bounce\"", "\\\"bounce\\\"", "无法发送", "无法投递", "送信できません", "配信できません", "見つかりません", "не может быть доставлено", "returned mail", "message was not",
}

func containsAny(text string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

var (
	addressPattern = regexp.MustCompile(`[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.)+[A-Za-z0-9-]{2,63}|[A-Za-z0-9._%+-]{1,64}@\[[0-9.]{7,15}\]`)
	statusPattern  = regexp.MustCompile(`(?:^|[^0-9.])([45]\.[0-9]{1,3}\.[0-9]{1,3})(?:[^0-9.]|\.?$|\.\s)`)
)

// originalMarks begin the copy of the message that was not delivered.
var originalMarks = []string{
	"this is a copy of", "below this line is a copy", "original message follows", "original message header", "message header", "message headers follow", "unsent message", "returned message", "message follows",
	"original message -", "copy of the message", "here is your returned", "start of returned", "content of the message", "received: ", "return-path: ", "the attached message", "the header of the original", "---- original message", "--- original", "<<< original", "-----original", "headers of the original", "enclosed is a copy",
	"beginning of original message", "message text follows", "text of your message", "------ returned mail",
}

// noticeRecipients finds the addresses that a notice in prose speaks of.
func (u *Understanding) noticeRecipients() {
	if u.Bounce.OriginalMessageID == "" {
		u.Bounce.OriginalMessageID = u.enclosedID()
	}
	if failed := u.Header.Get("X-Failed-Recipients"); failed != "" {
		for _, address := range addressPattern.FindAllString(failed, maxNoticeRecipients) {
			u.addRecipient(address, "")
		}
	}
	lines := strings.Split(u.noticeText(), "\n")
	if u.fieldRecipients(lines) {
		return
	}
	known := len(u.Bounce.Recipients) > 0
	current := -1 // whom the lines speak of
	for i, line := range lines[:min(len(lines), 300)] {
		lower := strings.ToLower(strings.TrimSpace(line))
		if startsOriginal(lower) && (i > 3 || len(u.Bounce.Recipients) > 0) {
			break
		}
		for _, address := range addressPattern.FindAllString(line, 10) {
			if at := u.recipient(address); at >= 0 {
				current = at
			}
		}
		if status := statusOf(line); status != "" {
			u.giveStatus(status, current)
		}
		if known || isAside(lower) || strings.HasPrefix(lower, "to:") && i+1 < len(lines) && isAside(strings.ToLower(strings.TrimSpace(lines[i+1]))) {
			continue
		}
		for _, address := range addressPattern.FindAllString(line, 10) {
			if !u.isOwnAddress(address) {
				u.addRecipient(address, statusOf(line))
			}
		}
	}
}

const maxNoticeRecipients = 100

// fieldRecipients reads the fields of a delivery report that stand in the prose.
func (u *Understanding) fieldRecipients(lines []string) bool {
	found := false
	for _, line := range lines {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		switch strings.ToLower(name) {
		case "final-recipient":
			if address := addressPattern.FindString(value); address != "" {
				u.addRecipient(address, "")
				found = true
			}
		case "status":
			if status := statusOf(value); found && status != "" {
				u.giveStatus(status, len(u.Bounce.Recipients)-1)
			}
		}
	}
	return found
}

func startsOriginal(line string) bool {
	return slices.ContainsFunc(originalMarks, func(mark string) bool {
		return strings.HasPrefix(strings.TrimLeft(line, "-=* \t"), strings.TrimLeft(mark, "-=*< "))
	})
}

// isAside knows lines whose addresses are not those that failed.
func isAside(line string) bool {
	for _, words := range []string{"from:", "sender:", "mail from", "subject:", "date:", "message-id", "reply-to", "return-path", "contact", "please send mail", "postmaster", "mailto:", "for assistance", "help@", "was sent from", "sent by", "message sent by", "from <", "from address", "cc:"} {
		if strings.HasPrefix(line, words) || strings.Contains(line, words) && len(words) > 8 {
			return true
		}
	}
	return false
}

// isOwnAddress says whether an address is that of the mail's reader or of the
// system that sent it.
func (u *Understanding) isOwnAddress(address string) bool {
	local, _, _ := strings.Cut(strings.ToLower(address), "@")
	if local == "postmaster" || local == "mailer-daemon" {
		return true
	}
	for _, a := range u.To {
		if strings.EqualFold(a.Address, address) {
			return true
		}
	}
	for _, a := range u.From {
		if strings.EqualFold(a.Address, address) {
			return true
		}
	}
	return false
}

func (u *Understanding) addRecipient(address, status string) {
	address = strings.Trim(address, "'.")
	if rest, ok := strings.CutPrefix(strings.ToLower(address), "smtp="); ok {
		address = address[len(address)-len(rest):]
	}
	if len(u.Bounce.Recipients) >= maxNoticeRecipients || u.recipient(address) >= 0 {
		return
	}
	action := "failed"
	if u.Kind == postroom.KindDelay {
		action = "delayed"
	}
	u.Bounce.Recipients = append(u.Bounce.Recipients, BouncedRecipient{Address: address, Action: action, Status: status})
}

// recipient is the index of an address among those found so far; -1: it is new.
func (u *Understanding) recipient(address string) int {
	return slices.IndexFunc(u.Bounce.Recipients, func(r BouncedRecipient) bool { return strings.EqualFold(r.Address, address) })
}

// giveStatus tells what became of the recipient that the lines speak of; of all
// of them where it is not known of whom (-1).
func (u *Understanding) giveStatus(status string, of int) {
	for i := range u.Bounce.Recipients {
		if u.Bounce.Recipients[i].Status == "" && (of < 0 || i == of) {
			u.Bounce.Recipients[i].Status = status
		}
	}
}

func statusOf(line string) string {
	if m := statusPattern.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}
