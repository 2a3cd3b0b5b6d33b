// Package console is the face of an installation in a browser: pages made on the server, of
// what the gateway's API says to the person who looks, with that person's own rights. It
// keeps nothing but logins, decides nothing, and reaches no store.
//
// A page loads nothing from elsewhere and runs only the script that is served beside it;
// without the script everything but live progress works. All texts of others, which come
// from images, advisories and suppliers, are escaped by where they stand.
package console
