package mailbox

import (
	"context"
	"fmt"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/mail/smtp"
)

// Post hands a letter of Postroom's own, to one address, to the outgoing server of a
// mailbox. Who asks needs no rights: it is never a person. The error is nil when the
// server has taken it, else a Fault, also where the fate is not known.
func (d *Desk) Post(ctx context.Context, id postroom.MailboxID, l mime.Letter) (smtp.Fate, error) {
	m, err := d.Store.Mailbox(ctx, id)
	if err != nil {
		return smtp.Fate{Outcome: smtp.NotSent}, err
	}
	if m.Outgoing == nil {
		return smtp.Fate{Outcome: smtp.NotSent}, onlyReads()
	}
	c, err := d.outgoingCredential(ctx, id)
	if err != nil {
		return smtp.Fate{Outcome: smtp.NotSent}, fmt.Errorf("send a notice from mailbox %s: %w", id, err)
	}
	r := d.tester().sendMail(ctx, m, c, l)
	if err := d.prefer(ctx, d.PreferOutgoing, id, c.Password, r.form); err != nil {
		return smtp.Fate{Outcome: r.Outcome, Words: r.Reply}, err
	}
	if r.Fault != nil {
		return smtp.Fate{Outcome: r.Outcome, Words: r.Reply}, r.Fault
	}
	return smtp.Fate{Outcome: r.Outcome, Words: r.Reply}, nil
}
