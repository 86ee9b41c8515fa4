package credential

import (
	"net/url"

	"github.com/postroom/postroom"
)

// entra is a page of the app in Microsoft's portal: Overview, Authentication, Credentials
// or CallAnAPI.
func (f *findings) entra(blade string) postroom.Link {
	if !guid.MatchString(f.ClientID) || hasOwnAddresses(f.OAuthApp) {
		return postroom.Link{}
	}
	portal := map[string]string{
		"login.microsoftonline.com": "https://entra.microsoft.com/", "login.microsoftonline.us": "https://portal.azure.us/", "login.chinacloudapi.cn": "https://portal.azure.cn/",
	}[family(f.Preset)]
	if portal == "" {
		return postroom.Link{}
	}
	words := map[string]string{
		"Overview": "The app in Microsoft Entra", "Authentication": "Authentication of the app in Microsoft Entra",
		"Credentials": "Certificates & secrets of the app", "CallAnAPI": "API permissions of the app",
	}[blade]
	return postroom.Link{Words: words, URL: portal + "#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/" + blade + "/appId/" + f.ClientID}
}

// google is a page of Google's, where the app is registered with Google itself.
func (f *findings) google(words, address string) postroom.Link {
	if hasOwnAddresses(f.OAuthApp) {
		return postroom.Link{}
	}
	return postroom.Link{Words: words, URL: address}
}

func (f *findings) serviceAccounts() postroom.Link {
	return f.google("Service accounts in the Google Cloud console", "https://console.cloud.google.com/iam-admin/serviceaccounts")
}

// appPage is where the app is looked after.
func (f *findings) appPage() postroom.Link {
	switch {
	case f.Service != nil:
		return f.serviceAccounts()
	case isGoogle(f.Provider):
		return f.google("Clients in the Google Cloud console", "https://console.cloud.google.com/auth/clients")
	case isMicrosoft(f.Provider):
		return f.entra("Overview")
	}
	return postroom.Link{}
}

// secretPage is where its secrets are made.
func (f *findings) secretPage() postroom.Link {
	if isMicrosoft(f.Provider) {
		return f.entra("Credentials")
	}
	return f.appPage()
}

// redirectPage is where the addresses are entered that browsers may come back to.
func (f *findings) redirectPage() postroom.Link {
	if isMicrosoft(f.Provider) {
		return f.entra("Authentication")
	}
	return f.appPage()
}

// consentPage is where an administrator allows the app for everybody: Microsoft's link,
// ready to be sent.
func (f *findings) consentPage(scopes []string) postroom.Link {
	begun, err := f.OAuth.AskAdmin(scopes)
	if err != nil {
		return postroom.Link{}
	}
	u, err := url.Parse(begun.Address)
	if err != nil {
		return postroom.Link{}
	}
	return postroom.Link{Words: "Allow the app for the whole organisation", URL: u.String()}
}
