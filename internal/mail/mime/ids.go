package mime

import "strings"

const maxIDs = 10_000

// messageIDs returns the ids in a References or In-Reply-To value, without angle
// brackets, in their order (RFC 5322 section 3.6.4). Where there are no brackets
// at all, words with an "@" are taken for ids; phrases and comments are not.
func messageIDs(value string) []string {
	value = unfold(value)
	var ids []string
	rest := value
	for len(ids) < maxIDs {
		open := strings.IndexByte(rest, '<')
		if open < 0 {
			break
		}
		rest = rest[open+1:]
		end := strings.IndexAny(rest, "<>")
		if end < 0 {
			end = len(rest)
		}
		if id := cleanID(rest[:end]); id != "" {
			ids = append(ids, id)
		}
		rest = rest[end:]
	}
	if len(ids) > 0 {
		return ids
	}
	for _, word := range strings.Fields(stripComments(value)) {
		for _, id := range strings.Split(word, ",") {
			if id = cleanID(strings.Trim(id, `<>"';`)); strings.Contains(id, "@") && len(ids) < maxIDs {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// messageID returns the one id of a Message-ID value, without angle brackets.
func messageID(value string) string {
	value = strings.TrimSpace(unfold(value))
	if open := strings.IndexByte(value, '<'); open >= 0 {
		id := value[open+1:]
		if end := strings.LastIndexByte(id, '>'); end >= 0 {
			id = id[:end]
		}
		if end := strings.IndexByte(id, '>'); end >= 0 && strings.Contains(id[end:], "<") {
			id = id[:end] // two ids: the first
		}
		if id = cleanID(id); id != "" {
			return id
		}
	}
	value = strings.TrimSpace(stripComments(value))
	if at := strings.IndexAny(value, " \t"); at > 0 && strings.Contains(value[:at], "@") {
		value = value[:at]
	}
	return cleanID(strings.Trim(value, "<>"))
}

// cleanID removes white space, which folding inside an id leaves behind.
func cleanID(id string) string {
	id = strings.Trim(id, " \t<>")
	if strings.ContainsAny(id, " \t") {
		id = strings.Join(strings.Fields(id), "")
	}
	return clean(decode8bit(id, ""))
}
