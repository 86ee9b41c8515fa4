package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// The delay that somebody should not have to wait for longer.
const (
	DefaultDelay = time.Hour
	MinDelay     = 15 * time.Minute
	MaxDelay     = 7 * day
)

// MaxContacts is how many addresses are told.
const MaxContacts = 10

// The names under which the settings are kept.
const (
	settingContact = "alert.contact"
	settingDelay   = "alert.delay"
	settingRelay   = "alert.relay"
)

// Contact lists the addresses that are told; empty: the administrators' own are.
func (d *Desk) Contact(ctx context.Context) ([]string, error) {
	text, ok, err := d.Store.Setting(ctx, settingContact)
	if err != nil || !ok {
		return nil, err
	}
	var addresses []string
	if err := json.Unmarshal([]byte(text), &addresses); err != nil {
		return nil, fmt.Errorf("read the contact addresses: %w", err)
	}
	return addresses, nil
}

// SetContact keeps the addresses that are told; none at all has the administrators told.
// For administrators.
func (d *Desk) SetContact(ctx context.Context, by postroom.Viewer, addresses []string) error {
	if err := needAdmin(by); err != nil {
		return err
	}
	kept := []string{}
	for _, a := range addresses {
		a = strings.TrimPrefix(strings.TrimSpace(a), "mailto:")
		if a == "" || isAmong(kept, a) {
			continue
		}
		if !isAddress(a) {
			return invalid("contact", "“"+shorten(a)+"” cannot be a mail address.", "Look for a blank, a comma or a missing part, and write it such as anna@example.net.")
		}
		kept = append(kept, a)
	}
	if len(kept) > MaxContacts {
		return invalid("contact", fmt.Sprintf("These are %d addresses; %d can be told.", len(kept), MaxContacts), "Name fewer, or the address of a list.")
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return d.Store.SetSetting(ctx, settingContact, string(text))
}

// isAddress says whether a text can be an address that mail is sent to.
func isAddress(text string) bool {
	at := strings.LastIndexByte(text, '@')
	if at < 0 || len(text) > postroom.MaxAddress {
		return false
	}
	domain := text[at+1:]
	return postroom.IsLocalPart(text[:at]) && domain != "" && !strings.ContainsAny(domain, " \t\r\n,;<>()\"\\/:@") &&
		!strings.HasPrefix(domain, ".") && !strings.HasSuffix(domain, ".")
}

// shorten keeps what a person needs to recognise what they wrote.
func shorten(text string) string {
	if runes := []rune(text); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return text
}

func invalid(field, explanation, remedy string) *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: field,
		Explanation: explanation, Remedy: remedy,
	}
}

// Delay is for how long a mailbox may be delayed before somebody is told.
func (d *Desk) Delay(ctx context.Context) (time.Duration, error) {
	text, ok, err := d.Store.Setting(ctx, settingDelay)
	if err != nil || !ok {
		return DefaultDelay, err
	}
	delay, err := time.ParseDuration(text)
	if err != nil {
		return DefaultDelay, fmt.Errorf("read for how long a mailbox may be delayed: %w", err)
	}
	return delay, nil
}

// SetDelay keeps that. For administrators.
func (d *Desk) SetDelay(ctx context.Context, by postroom.Viewer, delay time.Duration) error {
	if err := needAdmin(by); err != nil {
		return err
	}
	if delay < MinDelay || delay > MaxDelay {
		return invalid("delay", "After "+span(delay)+" is too soon or too late to tell somebody of a delay.", "Choose from 15 minutes to 7 days.")
	}
	return d.Store.SetSetting(ctx, settingDelay, delay.String())
}
