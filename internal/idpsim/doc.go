// Package idpsim simulates identity providers over HTTP, for demonstrations and tests: a Microsoft Entra tenant that the
// unmodified Microsoft Graph SDK talks to (Tenant), an Okta org that Okta's talks to (OktaTenant), and the provisioning
// services that push from them over SCIM (Pusher, OktaPusher). All can be told to fail in the ways that the real ones do.
//
// Formats follow the vendors' published pages; each file names the pages it follows by their title on
// learn.microsoft.com, or in the okta_ files on developer.okta.com and help.okta.com. Nothing here is random at run time: a
// seed and a list of calls give the same directory, the same ids and the same answers.
package idpsim
