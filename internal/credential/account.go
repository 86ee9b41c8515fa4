package credential

import (
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
)

// accountOf is who signed in, in the words of the product.
func accountOf(a oauth.Account) postroom.Account {
	account := postroom.Account{Issuer: a.Issuer, Subject: a.Subject, Tenant: a.Tenant, Name: a.Name}
	if names := a.Addresses(); len(names) > 0 {
		account.Address, account.Others = names[0], names[1:]
	}
	return account
}

// accountKey is equal for all grants of one account by one registration: only its id is
// sure to be its alone, and where a provider does not tell it, the address stands for it;
// empty: nobody says whose it is. Issuer and tenant are told only where there is an ID
// token.
func accountKey(a postroom.Account) string {
	if a.Subject != "" {
		return "id " + a.Subject
	}
	return strings.ToLower(a.Address)
}

// A relation is what an account is to a mailbox, as far as names tell.
type relation string

const (
	accountSame    relation = "same"    // its own, or one that is entered for it
	accountUnknown relation = "unknown" // the provider does not tell who it is
	accountOther   relation = "other"   // another one
)

// relate compares who signed in with a mailbox. was is the account that has opened it
// so far; a person has said once that it may.
func relate(provider string, m postroom.Mailbox, a, was postroom.Account) relation {
	names := append([]string{a.Address}, a.Others...)
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	if was.Subject != "" && was.Subject == a.Subject && was.Issuer == a.Issuer {
		return accountSame
	}
	if len(names) == 0 {
		return accountUnknown
	}
	for _, known := range append(namesOf(m), was.Address) {
		if slices.ContainsFunc(names, func(name string) bool { return isSameAccount(provider, name, known) }) {
			return accountSame
		}
	}
	return accountOther
}

// recentMode stands before a user name of Gmail's POP3 that several programs use.
const recentMode = "recent:"

// namesOf are the addresses under which somebody may sign in for a mailbox.
func namesOf(m postroom.Mailbox) []string {
	names := []string{m.Address}
	users := []string{m.Incoming.Username}
	if m.Outgoing != nil {
		users = append(users, m.Outgoing.Username)
	}
	for _, user := range users {
		user = strings.TrimPrefix(user, recentMode)
		if strings.Contains(user, "@") && !slices.Contains(names, user) {
			names = append(names, user)
		}
	}
	return names
}

// isSameAccount says whether two addresses lead to one account: letters' case does not
// count, nor what follows a +, nor at Gmail the dots, and googlemail.com is gmail.com.
func isSameAccount(provider, a, b string) bool {
	a, b = accountName(provider, a), accountName(provider, b)
	return a != "" && a == b
}

func accountName(provider, address string) string {
	local, domain, ok := strings.Cut(strings.ToLower(strings.TrimSpace(address)), "@")
	if !ok || local == "" || strings.Contains(domain, "@") {
		return strings.ToLower(strings.TrimSpace(address))
	}
	if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
		domain = ascii
	}
	if plain, _, tagged := strings.Cut(local, "+"); tagged && plain != "" {
		local = plain
	}
	if domain == "googlemail.com" {
		domain = "gmail.com"
	}
	if domain == "gmail.com" && (isGoogle(provider) || provider == postroom.GenericProvider) {
		local = strings.ReplaceAll(local, ".", "")
	}
	return local + "@" + domain
}

func domainOf(address string) string {
	_, domain, _ := strings.Cut(accountName("", address), "@")
	return domain
}

// choicesFor are what somebody may say about another account than was expected. Where
// there are none, the mailbox cannot be opened with it, whatever anybody says.
func choicesFor(provider string, m postroom.Mailbox, a postroom.Account) []Choice {
	switch {
	case a.Address == "":
		return nil
	case isGoogle(provider): // an account opens itself only, under any of its names
		if domain := domainOf(m.Address); domain == "gmail.com" || domain != domainOf(a.Address) {
			return nil
		}
		return []Choice{ChoiceAlias, ChoiceOther}
	case provider == "outlook_com":
		return []Choice{ChoiceAlias, ChoiceOther}
	}
	return []Choice{ChoiceShared, ChoiceAlias, ChoiceOther}
}

// A guest holds the start of a sign-in, and may be anybody. That a mailbox is only
// another name of their account is not for them to say: their own mail would be read in
// its place, and its answers would be sent by them. Whether they may open a shared one
// Microsoft's servers know, which check whose token opens whose mailbox; others may open
// the account's own, whatever name they are given.
const guestSays = true

// choicesOf are choicesFor, of which a guest has fewer.
func choicesOf(isGuest bool, provider string, m postroom.Mailbox, a postroom.Account) []Choice {
	all := choicesFor(provider, m, a)
	if isGuest {
		all = slices.DeleteFunc(all, func(c Choice) bool { return c == ChoiceAlias || c == ChoiceShared && !isMicrosoft(provider) })
	}
	return all
}

// namesBy says which names of an account a mailbox may be opened by that nobody has
// entered. Who signs in for a mailbox of theirs is believed what the provider says. Of
// somebody else it has to be of the place of the mailbox: an account may call itself as
// it likes where its organisation is its own.
func namesBy(reg Registration, m postroom.Mailbox, by postroom.UserID) func(name string) bool {
	isBound := isMicrosoft(reg.Provider) && !isAudience(reg.Tenant)
	return func(name string) bool {
		return by != 0 || isBound || isGoogle(reg.Provider) || domainOf(name) == domainOf(m.Address)
	}
}

// An attempt is one set of user names by which a mailbox may be opened.
type attempt struct{ incoming, outgoing string } // empty: as it is

// on is the mailbox with the names of the attempt.
func (a attempt) on(m postroom.Mailbox) postroom.Mailbox {
	if a.incoming != "" {
		m.Incoming.Username = a.incoming
	}
	if a.outgoing != "" && m.Outgoing != nil {
		out := *m.Outgoing
		out.Username = a.outgoing
		m.Outgoing = &out
	}
	return m
}

// attemptsFor are the user names to try with an account, the likeliest first. A shared
// mailbox is opened as itself, and sends as whoever signed in. An account whose sign-in
// name is not its address (Microsoft's user principal name) may want that. No attempt
// opens another mailbox than was meant: of the names that the provider tells only those
// that may count.
func attemptsFor(m postroom.Mailbox, a postroom.Account, said Choice, may func(name string) bool) []attempt {
	switch said {
	case ChoiceShared:
		if m.Outgoing == nil {
			return []attempt{{}}
		}
		return []attempt{{outgoing: a.Address}, {}}
	case ChoiceAlias: // some servers let in by every name
		return []attempt{{}, {incoming: a.Address, outgoing: a.Address}}
	}
	all := []attempt{{}}
	names := append([]string{a.Address}, a.Others...)
	if !slices.ContainsFunc(names, func(name string) bool { return isSameAccount("", name, m.Address) }) {
		return all // somebody else's, as it was entered
	}
	for _, name := range names {
		if name != "" && !strings.EqualFold(name, m.Incoming.Username) && len(all) < 3 && may(name) {
			all = append(all, attempt{incoming: name, outgoing: name})
		}
	}
	return all
}
