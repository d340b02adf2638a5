// Package scimserver is the SCIM 2.0 service provider over HTTP (RFC 7644): routing, authentication, content types,
// errors and the request log. What a body, filter or PATCH means is decided by package scim, what may happen to members
// and teams by package roster.
//
// A request passes through here in this order:
//
//	Server.ServeHTTP   finds the route by the path as it was sent (routes.go)
//	authenticate       bearer token to organisation and connection (auth.go)
//	a handler          reads by store.View (users.go, groups.go, list.go), or
//	exchange.commit    writes by roster.Commit, with the answer and the request-log row in the same transaction (commit.go)
//	exchange.fail      turns every failure into a SCIM error, logged for the organisation (errors.go, requestlog.go)
//
// It stands in front of the mux, since net/http's would answer an unclean path such as /scim/v2//Users with a redirect,
// which identity providers don't follow for a POST:
//
//	http.Server{Handler: web.Floor(log, scim.Before(mux))}
package scimserver
