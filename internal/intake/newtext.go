package intake

import "strings"

// NewText is what the writer of a plain text added: without the text that is
// quoted below it and without the signature. A text that is nothing but
// quotation is returned whole, for an empty answer helps nobody.
func NewText(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	end := len(lines)
	for i := range min(len(lines), maxNewTextLines) {
		if endsNewText(lines, i) {
			end = i
			break
		}
	}
	for _, part := range [][]string{lines[:end], lines} {
		if kept := trimBlankLines(dropQuoted(part)); kept != "" {
			return kept
		}
	}
	return strings.TrimSpace(text)
}

// maxNewTextLines is how far a quotation is looked for, and maxBelowLines how far
// below it an answer.
const (
	maxNewTextLines = 5000
	maxBelowLines   = 500
)

// trimBlankLines joins lines without the blank ones at either end, and without
// the ruled lines that separate what was cut off.
func trimBlankLines(lines []string) string {
	for len(lines) > 0 && strings.Trim(lines[len(lines)-1], "-_=*#~+ \t\u00a0\r") == "" {
		lines = lines[:len(lines)-1]
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// endsNewText says whether line i begins a signature or a whole quoted message.
func endsNewText(lines []string, i int) bool {
	line := strings.TrimRight(lines[i], " \t")
	bare := strings.TrimSpace(line)
	switch {
	case lines[i] == "-- " || line == "--", isDeviceLine(bare):
		return true
	case isOriginalMark(bare):
		return true
	case strings.HasPrefix(bare, "________________") && i+1 < len(lines) && hasHeaderLines(lines[i+1:]):
		return true
	case i > 0 && quotedFields(lines[i:]) >= 3, i > 0 && quotedFields(lines[i:]) == 2 && strings.TrimSpace(lines[i-1]) == "":
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
		"mensagem original", "oorspronkelijk bericht", "oprindelig meddelelse", "oprindelig besked", "ursprungligt meddelande", "opprinnelig melding",
		"alkuperäinen viesti", "wiadomość oryginalna", "původní zpráva", "исходное сообщение", "original-nachricht", "reply message", "original appointment":
		return true
	}
	return false
}

// hasHeaderLines says whether lines begin with a header as Outlook quotes it.
func hasHeaderLines(lines []string) bool { return quotedFields(lines) >= 3 }

// quotedFields counts the fields of a quoted header that lines begin with: the
// sender or the date first, others within the next lines.
func quotedFields(lines []string) int {
	found := 0
	for i, line := range lines[:min(len(lines), 8)] {
		bare := strings.TrimSpace(strings.Trim(strings.TrimSpace(line), "*"))
		if bare == "" && i == 0 {
			continue
		}
		name, _, ok := strings.Cut(bare, ":")
		kind := headerWords[strings.ToLower(strings.Trim(name, " *\u00a0"))]
		if !ok {
			kind = 0
		}
		if found == 0 && kind != 1 {
			return 0
		}
		if kind == 0 && bare == "" {
			break
		}
		if kind > 0 {
			found++
		}
	}
	return found
}

// headerWords are the field names of quoted headers; those with 1 may come first.
var headerWords = map[string]int{
	"from": 1, "von": 1, "de": 1, "van": 1, "da": 1, "från": 1, "fra": 1, "lähettäjä": 1, "od": 1, "от": 1, "від": 1, "发件人": 1, "寄件者": 1, "差出人": 1, "gönderen": 1, "feladó": 1, "expéditeur": 1, "remitente": 1, "mittente": 1, "afzender": 1, "date": 1, "fra:": 1,
	"envoyé le": 2, "skickat den": 2, "gesendet am": 2, "datum:": 2, "dato": 2, "sendt:": 2, "kopia": 2, "kopie": 2, "kopi": 2, "kime": 2, "konu": 2, "tarih": 2, "gönderme": 2, "title": 2, "sujet": 2, "destinataire": 2, "reply to": 2, "送信日時": 2, "宛先": 2, "件名": 2, "日期": 2, "sent": 2, "to": 2, "cc": 2, "subject": 2, "datum": 2, "gesendet": 2, "an": 2, "betreff": 2, "envoyé": 2, "à": 2, "objet": 2,
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
		if bare == "" || strings.HasPrefix(bare, ">") && bare != ">:" {
			break
		}
		joined = strings.TrimSpace(joined + " " + bare)
		lower := strings.ToLower(strings.Trim(joined, "- "))
		if isAttribution(lower, n == 0, strings.HasSuffix(joined, ":") || strings.HasSuffix(joined, "：") || strings.HasPrefix(joined, "---- ")) {
			return n + 1
		}
		if strings.HasSuffix(joined, ":") {
			break
		}
	}
	return 0
}

// isAttribution judges lines joined to one, lower case. One that begins as in
// "On Monday" may run over several lines; others must be a single one, or begin
// with a date in digits.
func isAttribution(line string, isSingle, hasColon bool) bool {
	if len(line) > 400 {
		return false
	}
	line = strings.TrimSpace(strings.TrimRight(line, ":："))
	dated := isDigital(line)
	if dated && strings.Contains(line, "@") && strings.HasSuffix(line, ">") || isSingle && dated && strings.Contains(line, " gmt") {
		return true
	}
	if hasColon && strings.HasSuffix(line, ">") && strings.Contains(line, "@") && strings.ContainsAny(line, "0123456789") {
		return true
	}
	if !hasColon && !(isSingle && strings.HasPrefix(line, "on ") && strings.HasSuffix(line, "> wrote")) {
		return false
	}
	for _, pair := range attributions {
		if pair[0] == "" && !isSingle && !dated {
			continue
		}
		if strings.HasPrefix(line, pair[0]) && strings.Contains(line, pair[1]) {
			return true
		}
	}
	return false
}

// isDigital says whether a line begins with a date in digits: 2016-10-24 or 30 May.
func isDigital(line string) bool {
	digits := 0
	for digits < len(line) && line[digits] >= '0' && line[digits] <= '9' {
		digits++
	}
	if digits == 0 || digits > 4 || digits == len(line) {
		return false
	}
	rest := line[digits:]
	return digits == 4 && (rest[0] == '-' || rest[0] == '/' || rest[0] == '.') || digits < 3 && (rest[0] == ' ' || rest[0] == '.' || rest[0] == '/' || rest[0] == '-')
}

var attributions = [][2]string{
	{"on ", "wrote"}, {"on ", "writes"}, {"am ", "schrieb"}, {"le ", "écrit"}, {"el ", "escribi"}, {"il ", "scritto"}, {"em ", "escreveu"}, {"a ", "escreveu"}, {"op ", "schreef"}, {"op ", "geschreven"},
	{"den ", "skrev"}, {"på ", "skrev"}, {"d. ", "skrev"}, {"w dniu ", "napisa"}, {"dnia ", "napisa"}, {"dne ", "napsal"}, {"в ", "писал"}, {"a ", "ha scritto"}, {"pe ", "scris"}, {"στις ", "έγραψε"},
	{"", " wrote"}, {"", " writes"}, {"", " schrieb"}, {"", " a écrit"}, {"", " escribió"}, {"", " ha scritto"}, {"", " escreveu"}, {"", " schreef"}, {"", " geschreven"}, {"", " skrev"},
	{"", " kirjoitti"}, {"", " napsal"}, {"", " napisał"}, {"", " написал"}, {"", " пишет"}, {"", " пише"}, {"", " 写道"}, {"", " 寫道"}, {"", "さんは書きました"}, {"", " yazdı"}, {"", " viết"}, {"", " írta"},
}

// isDeviceLine knows the signature of a device: "Sent from my iPhone".
func isDeviceLine(line string) bool {
	lower := strings.ToLower(strings.Trim(line, "*_-— "))
	if len(lower) > 90 || strings.HasSuffix(lower, ":") || strings.HasSuffix(lower, ".") {
		return false
	}
	for _, words := range deviceWords {
		if strings.HasPrefix(lower, words) {
			return true
		}
	}
	return false
}

var deviceWords = []string{
	"sent from my ", "sent from a ", "sent from outlook", "sent from mail", "sent from yahoo", "sent from windows", "sent from samsung", "sent from gmail", "sent from proton", "sent from iphone", "sent from ipad", "sent from android", "sent from blackberry", "sent from mobile", "sent from typeapp", "sent from the ", "sent via ", "sent with ", "get outlook for ",
	"envoyé depuis ", "envoyé de mon ", "envoyé à partir", "télécharger outlook", "obtenez outlook", "von meinem ", "gesendet von ", "gesendet mit ", "diese nachricht wurde von mein", "holen sie sich outlook", "outlook für ",
	"enviado desde ", "enviado do ", "enviado de mi ", "enviado via ", "obtener outlook", "inviato da ", "inviato dal ", "scarica outlook", "verzonden vanaf ", "verstuurd vanaf ", "verzonden met ", "download outlook", "sendt fra ", "sendt med ", "skickat från ", "skickades från", "lähetetty ",
	"wysłane z ", "wysłano z ", "odesláno z ", "отправлено с ", "отправлено из ", "надіслано з ", "iphoneから送信", "ipadから送信", "发自我的", "从我的", "發自我的", "나의 iphone", "trimis de pe ", "poslano z ", "poslané z ",
}

// hasNewTextBelow says whether the writer goes on under the quotation: then the
// answer stands between the quoted lines and nothing may be cut off.
func hasNewTextBelow(lines []string) bool {
	quoted := false
	for _, line := range lines[:min(len(lines), maxBelowLines)] {
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
