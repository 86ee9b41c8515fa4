package intake

import "strings"

// NewText is what the writer of a plain text added: without the text that is
// quoted below it and without the signature. A text that is nothing but
// quotation is returned whole, for an empty answer helps nobody.
func NewText(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	end := len(lines)
	for i := range lines {
		if endsNewText(lines, i) {
			end = i
			break
		}
	}
	kept := dropQuoted(lines[:end])
	result := strings.TrimSpace(strings.Join(kept, "\n"))
	if result == "" {
		return strings.TrimSpace(text)
	}
	return result
}

// endsNewText says whether line i begins a signature or a whole quoted message.
func endsNewText(lines []string, i int) bool {
	line := strings.TrimRight(lines[i], " \t")
	bare := strings.TrimSpace(line)
	switch {
	case lines[i] == "-- " || line == "--":
		return true
	case isOriginalMark(bare):
		return true
	case strings.HasPrefix(bare, "________________") && i+1 < len(lines) && hasHeaderLines(lines[i+1:]):
		return true
	case hasHeaderLines(lines[i:]) && i > 0 && strings.TrimSpace(lines[i-1]) == "":
		return true
	}
	if size := attribution(lines, i); size > 0 {
		return !hasNewTextBelow(lines[i+size:])
	}
	return false
}

// isOriginalMark knows "-----Original Message-----" in the languages that
// Outlook writes it in.
func isOriginalMark(line string) bool {
	if !strings.HasPrefix(line, "--") && !strings.HasPrefix(line, "__") {
		return false
	}
	words := strings.ToLower(strings.Trim(line, "-_ \t"))
	switch words {
	case "original message", "ursprüngliche nachricht", "message d'origine", "message original", "mensaje original", "messaggio originale",
		"mensagem original", "oorspronkelijk bericht", "oprindelig meddelelse", "ursprungligt meddelande", "opprinnelig melding",
		"alkuperäinen viesti", "wiadomość oryginalna", "původní zpráva", "исходное сообщение", "original-nachricht", "reply message", "original appointment":
		return true
	}
	return false
}

// hasHeaderLines says whether lines begin with a header as Outlook quotes it:
// From, then a date, a recipient or a subject within the next lines.
func hasHeaderLines(lines []string) bool {
	found := 0
	for i, line := range lines {
		if i > 6 {
			break
		}
		bare := strings.Trim(strings.TrimSpace(line), "*")
		if bare == "" && found == 0 && i == 0 {
			continue
		}
		name, _, ok := strings.Cut(bare, ":")
		if !ok {
			if found == 0 {
				return false
			}
			continue
		}
		kind := headerWords[strings.ToLower(strings.Trim(name, " *"))]
		if found == 0 && kind != 1 {
			return false
		}
		if kind > 0 {
			found++
		}
	}
	return found >= 3
}

// headerWords are the field names of quoted headers; 1 stands for the sender.
var headerWords = map[string]int{
	"from": 1, "von": 1, "de": 1, "van": 1, "da": 1, "från": 1, "fra": 1, "lähettäjä": 1, "od": 1, "от": 1, "发件人": 1,
	"date": 2, "sent": 2, "to": 2, "cc": 2, "subject": 2, "datum": 2, "gesendet": 2, "an": 2, "betreff": 2, "envoyé": 2, "à": 2, "objet": 2,
	"enviado": 2, "enviado el": 2, "para": 2, "asunto": 2, "assunto": 2, "fecha": 2, "data": 2, "inviato": 2, "a": 2, "oggetto": 2,
	"verzonden": 2, "aan": 2, "onderwerp": 2, "skickat": 2, "till": 2, "ämne": 2, "sendt": 2, "til": 2, "emne": 2, "lähetetty": 2, "aihe": 2,
	"vastaanottaja": 2, "wysłano": 2, "do": 2, "temat": 2, "odesláno": 2, "komu": 2, "předmět": 2, "дата": 2, "кому": 2, "тема": 2, "reply-to": 2,
	"发送时间": 2, "收件人": 2, "主题": 2,
}

// attribution returns how many lines from i on say who wrote what is quoted
// below: "On Monday, Jane wrote:". 0: none.
func attribution(lines []string, i int) int {
	joined := ""
	for n := 0; n < 4 && i+n < len(lines); n++ {
		bare := strings.TrimSpace(lines[i+n])
		if bare == "" || strings.HasPrefix(bare, ">") {
			return 0
		}
		joined = strings.TrimSpace(joined + " " + bare)
		if strings.HasSuffix(joined, ":") {
			if isAttribution(strings.ToLower(strings.TrimSuffix(joined, ":"))) {
				return n + 1
			}
			return 0
		}
	}
	return 0
}

func isAttribution(line string) bool {
	if len(line) > 400 {
		return false
	}
	for _, pair := range attributions {
		if strings.HasPrefix(line, pair[0]) && strings.Contains(line, pair[1]) {
			return true
		}
	}
	return false
}

var attributions = [][2]string{
	{"on ", "wrote"}, {"am ", "schrieb"}, {"le ", "écrit"}, {"el ", "escribi"}, {"il ", "scritto"}, {"em ", "escreveu"}, {"op ", "schreef"},
	{"den ", "skrev"}, {"på ", "skrev"}, {"w dniu ", "napisa"}, {"dnia ", "napisa"}, {"dne ", "napsal"}, {"в ", "писал"}, {"a ", "ha scritto"},
	{"", " wrote"}, {"", " schrieb"}, {"", " a écrit"}, {"", " escribió"}, {"", " ha scritto"}, {"", " escreveu"}, {"", " schreef"}, {"", " skrev"},
	{"", " kirjoitti"}, {"", " napsal"}, {"", " написал"}, {"", " пишет"},
}

// hasNewTextBelow says whether the writer goes on under the quotation: then the
// answer stands between the quoted lines and nothing may be cut off.
func hasNewTextBelow(lines []string) bool {
	quoted := false
	for _, line := range lines {
		bare := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(bare, ">"):
			quoted = true
		case bare == "--" || line == "-- ":
			return false
		case bare != "" && quoted:
			return true
		}
	}
	return false
}

// dropQuoted removes quoted lines, and the line above them that says who wrote them.
func dropQuoted(lines []string) []string {
	var kept []string
	for i := 0; i < len(lines); i++ {
		if strings.HasPrefix(strings.TrimLeft(lines[i], " \t"), ">") {
			continue
		}
		if size := attribution(lines, i); size > 0 {
			i += size - 1
			continue
		}
		kept = append(kept, lines[i])
	}
	return kept
}
