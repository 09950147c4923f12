// Package config reads an nginx-style configuration and gives a typed model of it.
//
// The way is one-directional: bytes become words (lexer.go), words become a
// tree of directives with includes spliced in (parser.go), and the tree is
// walked with a table of rows (rows_*.go) into plain structs (model*.go). Every
// row says in which blocks its directive may stand, how many arguments it
// takes, and whether weir supports it, has no use for it, does not have it yet
// or refuses it.
//
// Inheritance is a value copy. Each of http, server, location, if and
// limit_except embeds a Settings; a child block starts as a copy of its
// parent's finished Settings and then applies its own directives, so all simple
// directives of a block are applied before its child blocks are built. A list
// directive drops the inherited list at its first appearance in a block.
//
// The model keeps text that may hold variables as written. Whatever a later
// stage may still reject (an unknown variable, a bad regular expression, a
// missing file) carries the Pos of its directive, so that the message can end
// with "in FILE:LINE" like those of this package.
//
// Names of included files, certificates, keys and CA files are relative to the
// directory of the main file; names of logs, roots, pid and temporary paths are
// relative to the prefix. Both are made absolute here.
//
// The package does no input or output but reading files through Options.
package config
