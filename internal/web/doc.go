// Package web is the HTTP floor that all surfaces share: request ids, recovery from panics, the access log, bounded
// bodies, the client's address, and who is signed in. It knows nothing of members and teams.
//
// Floor puts the first three around a handler:
//
//	server := &http.Server{Handler: web.Floor(log, scim.Before(mux))}
package web
