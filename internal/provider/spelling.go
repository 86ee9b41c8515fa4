package provider

import "strings"

// Domains that so many addresses have that a name one letter off is more likely a slip
// than somebody's domain.
const bigDomains = "gmail.com googlemail.com yahoo.com yahoo.co.uk yahoo.fr yahoo.de ymail.com outlook.com outlook.de hotmail.com hotmail.co.uk hotmail.fr " +
	"live.com msn.com icloud.com me.com aol.com gmx.de gmx.net gmx.at gmx.ch gmx.com web.de t-online.de freenet.de posteo.de mailbox.org " +
	"proton.me protonmail.com fastmail.com zoho.com mail.com comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net " +
	"btinternet.com orange.fr wanadoo.fr free.fr laposte.net libero.it virgilio.it yandex.ru yandex.com mail.ru qq.com 163.com naver.com"

// meant returns the big domain that a domain is a slip of; ok is false when there is
// none. Where the domain takes no mail, more than a slip of one letter is one too.
func meant(domain string, takesMail bool) (big string, ok bool) {
	nearest := 3
	for candidate := range strings.FieldsSeq(bigDomains) {
		name, _, _ := strings.Cut(candidate, ".")
		allowed := 1
		switch {
		case takesMail && len(name) < 5: // gmy.de is somebody's
			allowed = 0
		case !takesMail && len(name) >= 5:
			allowed = 2
		}
		d := slips(domain, candidate)
		if d == 0 {
			return "", false
		}
		if d <= allowed && d < nearest {
			nearest, big = d, candidate
		}
	}
	return big, big != ""
}

// slips counts the slips of typing between two words: a letter too many, one missing,
// another one, or two that changed places (the restricted Damerau-Levenshtein
// distance). Words of very different lengths are far apart.
func slips(a, b string) int {
	if len(a)-len(b) > 2 || len(b)-len(a) > 2 {
		return 3
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			other := 1
			if a[i-1] == b[j-1] {
				other = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+other)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
