package web

// careRoutes are the pages of what mailboxes are opened with, and of what needs
// somebody.
func (s *Server) careRoutes(signedIn, admin func(pattern string, h handler)) {
	if s.Apps != nil {
		admin("GET "+appsAddress, s.showApps)
		admin("POST "+appsAddress, s.addApp)
		admin("GET "+appsAddress+"/new", s.showNewApp)
		admin("GET "+appsAddress+"/{id}", s.showApp)
		admin("POST "+appsAddress+"/{id}", s.changeApp)
		admin("POST "+appsAddress+"/{id}/check", s.checkApp)
		admin("POST "+appsAddress+"/{id}/remove", s.removeApp)
	}
	if s.Alerts != nil {
		signedIn("GET /alerts", s.showAlerts)
		signedIn("GET /alerts/now", s.showCare)
		signedIn("GET /alerts/{id}", s.showAlert)
		signedIn("POST /alerts/banner", s.closeBanner)
		signedIn("POST /alerts/{id}/seen", s.closePopup)
		admin("GET "+alertSettingsAddress, s.showAlertSettings)
		admin("POST "+alertSettingsAddress+"/contact", s.setContact)
		admin("POST "+alertSettingsAddress+"/test", s.testContact)
		admin("POST "+alertSettingsAddress+"/relay", s.setRelay)
		admin("POST "+alertSettingsAddress+"/relay/remove", s.removeRelay)
		admin("POST "+alertSettingsAddress+"/delay", s.setDelay)
	}
}
