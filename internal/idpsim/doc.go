// Package idpsim simulates an identity provider over HTTP, for demonstrations and tests: a Microsoft Entra tenant that
// the unmodified Microsoft Graph SDK talks to (Tenant), and the provisioning service that pushes from it over SCIM
// (Pusher). Both can be told to fail in the ways that the real ones do.
//
// Formats follow Microsoft's published pages; each file names the pages it follows by their title on
// learn.microsoft.com. Nothing here is random at run time: a seed and a list of calls give the same directory, the same
// ids and the same answers.
package idpsim
