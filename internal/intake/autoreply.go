package intake

import "strings"

// autoReplySubject returns the words at the beginning of a subject that mail
// programs put before the subject of the mail they answer by themselves; empty
// when there are none. The subject must go on behind a colon, or end: “Out of
// office chairs” is no absence.
func autoReplySubject(subject string) string {
	lower := strings.ToLower(strings.TrimSpace(subject))
	for _, words := range autoReplyWords {
		rest, ok := strings.CutPrefix(lower, words)
		if !ok {
			continue
		}
		rest = strings.TrimLeft(rest, " \u00a0")
		if rest == "" || strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "：") || strings.HasPrefix(rest, "- ") {
			return words
		}
	}
	return ""
}

// autoReplyWords are what Outlook, Exchange, Lotus Notes, GroupWise, Apple Mail
// and others write, lower case, in the languages they speak.
var autoReplyWords = []string{
	"automatic reply", "auto reply", "auto-reply", "autoreply", "automated reply", "automatic response", "auto response", "autoresponse", "auto-response", "automated response",
	"out of office", "out of the office", "out-of-office", "out of office autoreply", "out of office reply", "out of office message", "away from the office", "away from office",
	"automatische antwort", "automatische rückantwort", "abwesenheitsnotiz", "abwesenheitsnachricht", "abwesenheit", "abwesend", "autom. antwort",
	"réponse automatique", "reponse automatique", "absence du bureau", "absent du bureau", "message d'absence", "notification d'absence",
	"respuesta automática", "respuesta automatica", "fuera de la oficina", "fuera de oficina", "ausente de la oficina",
	"risposta automatica", "fuori ufficio", "fuori sede", "automatisch antwoord", "automatische reactie", "afwezig", "afwezigheidsbericht", "niet aanwezig",
	"resposta automática", "resposta automatica", "fora do escritório", "ausência temporária", "resposta automàtica",
	"automatyczna odpowiedź", "autoodpowiedź", "odpowiedź automatyczna", "poza biurem", "nieobecność",
	"automatická odpověď", "automatická odpoveď", "mimo kancelář", "autosvar", "automatiskt svar", "automatisk svar", "frånvaro", "frånvarande", "fraværsbesked", "ikke til stede",
	"automaattinen vastaus", "poissa", "poissaoloilmoitus", "automatikus válasz", "házon kívül", "otomatik yanıt", "otomatik yanit", "otomatik cevap", "ofis dışında",
	"автоматический ответ", "автоответ", "нет на месте", "автоматична відповідь", "автоматичен отговор", "αυτόματη απάντηση", "răspuns automat", "raspuns automat",
	"automatski odgovor", "аутоматски одговор", "samodejni odgovor", "automaatvastus", "automātiska atbilde", "automātiskā atbilde", "automatinis atsakymas", "automatinis atsakas",
	"自動応答", "自動返信", "不在通知", "自动答复", "自动回复", "自動回覆", "自動回復", "자동 회신", "자동 응답", "자동회신", "부재 중",
	"رد تلقائي", "الرد التلقائي", "תשובה אוטומטית", "מענה אוטומטי", "ตอบอัตโนมัติ", "ตอบกลับอัตโนมัติ", "การตอบกลับอัตโนมัติ", "trả lời tự động", "thư trả lời tự động",
	"balasan otomatis", "jawaban otomatis", "balasan automatik", "erantzun automatikoa", "sjálfvirkt svar", "स्वचालित उत्तर",
}
