package web

import "github.com/postroom/postroom"

// A badge is a state as people see it: an icon and a word, which a colour only
// underlines.
type badge struct {
	Icon string
	Word string
	Tone string // good, wait, bad or rest
}

func mailboxBadge(s postroom.MailboxState) badge {
	switch s {
	case postroom.MailboxActive:
		return badge{"tick", "Reading", "good"}
	case postroom.MailboxDelayed:
		return badge{"clock", "Delayed", "wait"}
	case postroom.MailboxNeedsSignIn:
		return badge{"cross", "Sign-in needed", "bad"}
	case postroom.MailboxNeedsRepair:
		return badge{"warning", "Repair needed", "bad"}
	case postroom.MailboxPaused:
		return badge{"pause", "Paused", "rest"}
	}
	return badge{"draft", "Draft", "rest"}
}

// mailboxWords say in one sentence what a mailbox does in its state.
func mailboxWords(s postroom.MailboxState, troubled bool) string {
	switch s {
	case postroom.MailboxActive:
		return "Reading. New mail becomes an issue as it arrives."
	case postroom.MailboxDelayed:
		return "Delayed. We try again by ourselves; nothing is lost."
	case postroom.MailboxNeedsSignIn:
		return "Sign-in needed. Reading goes on where it stopped as soon as the new password works."
	case postroom.MailboxNeedsRepair:
		return "Repair needed. Something has to be changed before reading can go on."
	case postroom.MailboxPaused:
		return "Paused. Mail waits on the server until somebody resumes reading."
	}
	if troubled {
		return "Draft. The settings are kept, and they do not work yet."
	}
	return "Draft. The settings are being tried now."
}

func issueBadge(s postroom.IssueState) badge {
	if s == postroom.IssueClosed {
		return badge{"tick", "Closed", "rest"}
	}
	return badge{"open", "Open", "good"}
}

// arrivalWord is what the ledger calls a state.
func arrivalWord(s postroom.ArrivalState) string {
	switch s {
	case postroom.ArrivalWaiting:
		return "Waiting"
	case postroom.ArrivalFiled:
		return "Filed"
	case postroom.ArrivalDuplicate:
		return "Duplicate"
	case postroom.ArrivalIgnored:
		return "Ignored"
	case postroom.ArrivalBeforeStart:
		return "Before the start"
	case postroom.ArrivalVanished:
		return "Vanished"
	case postroom.ArrivalQuarantined:
		return "Set aside"
	case postroom.ArrivalDeleted:
		return "Deleted"
	}
	return string(s)
}

// arrivalMeaning explains a state of the ledger.
func arrivalMeaning(s postroom.ArrivalState) string {
	switch s {
	case postroom.ArrivalWaiting:
		return "on the way to an issue"
	case postroom.ArrivalFiled:
		return "part of an issue"
	case postroom.ArrivalDuplicate:
		return "the same mail is here already"
	case postroom.ArrivalIgnored:
		return "left out by a rule"
	case postroom.ArrivalBeforeStart:
		return "older than the day from which this mailbox is read"
	case postroom.ArrivalVanished:
		return "gone from the server before we could read it"
	case postroom.ArrivalQuarantined:
		return "could not be read or filed; can be tried again"
	case postroom.ArrivalDeleted:
		return "its issue was deleted here by a person"
	}
	return ""
}
