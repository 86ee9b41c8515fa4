package mailbox

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/postroom/postroom/internal/mail/imap"
)

// maxListed is how many folders a report names.
const maxListed = 2000

// listFolders asks which folders there are, once. A server that does not say, or
// takes too long, has none as far as the report goes.
func (r *openIMAP) listFolders(ctx context.Context) {
	if r.folders != nil || !r.client.Usable() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	all, err := r.client.Folders(ctx)
	if err != nil {
		return
	}
	r.folders = choosable(all)
}

// choosable are the folders that can be opened, INBOX first and the others by name.
func choosable(all []imap.Folder) []Folder {
	folders := make([]Folder, 0, min(len(all), maxListed))
	for _, f := range all {
		if f.NoSelect || f.Name == "" || len(f.Name) > maxFolderName || hasControls(f.Name) {
			continue // it holds other folders only, or could not be chosen here
		}
		folders = append(folders, Folder{Name: f.Name, Use: strings.ToLower(strings.TrimPrefix(f.SpecialUse, `\`))})
	}
	slices.SortStableFunc(folders, func(a, b Folder) int {
		switch "INBOX" {
		case b.Name:
			return 1
		case a.Name:
			return -1
		}
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.Name, b.Name))
	})
	folders = slices.CompactFunc(folders, func(a, b Folder) bool { return a.Name == b.Name })
	return folders[:min(len(folders), maxListed)]
}
