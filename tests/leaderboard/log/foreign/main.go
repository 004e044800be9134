// Command foreign reads a log with the packages that Go's own checksum database is read with.
//
// It shares no code with this project: signatures, proofs and tiles are checked by sumdb/note and
// sumdb/tlog, which test_foreign.py copies out of the installed Go. The folder that it is given holds
// the files that a reader would be served, and our proofs.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"foreign/note"
	"foreign/tlog"
)

// proofs are those that our program made.
type proofs struct {
	Inclusion   [][]string // of each leaf
	Consistency []string   // from the old checkpoint to the new one
}

// tiles serves the tiles of a folder. Their paths have no height: it is always 8.
type tiles struct{ folder string }

func (t tiles) Height() int                     { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	var contents [][]byte
	for _, tile := range want {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		content, err := os.ReadFile(filepath.Join(t.folder, path))
		if err != nil {
			return nil, err
		}
		contents = append(contents, content)
	}
	return contents, nil
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func read(folder, name string) []byte {
	content, err := os.ReadFile(filepath.Join(folder, name))
	check(err)
	return content
}

// checkpoint is the tree of a signed note.
func checkpoint(folder, name string, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open(read(folder, name), note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return tlog.Tree{N: size, Hash: root}
}

// leaves are the leaves in the entry bundles, each after its length.
func leaves(folder string, size int64) [][]byte {
	var all [][]byte
	for first := int64(0); first < size; first += 256 {
		name := fmt.Sprintf("tile/entries/%03d", first/256)
		if size-first < 256 {
			name = fmt.Sprintf("%s.p/%d", name, size-first)
		}
		for content := read(folder, name); len(content) > 0; {
			end := 2 + int(binary.BigEndian.Uint16(content))
			all = append(all, content[2:end])
			content = content[end:]
		}
	}
	return all
}

func hashes(texts []string) []tlog.Hash {
	var all []tlog.Hash
	for _, text := range texts {
		content, err := base64.StdEncoding.DecodeString(text)
		check(err)
		var hash tlog.Hash
		copy(hash[:], content)
		all = append(all, hash)
	}
	return all
}

func main() {
	folder := os.Args[1]
	verifier, err := note.NewVerifier(string(read(folder, "vkey")))
	check(err)
	var made proofs
	check(json.Unmarshal(read(folder, "proofs.json"), &made))

	// Two checkpoints, and the proof that the new one continues the old one.
	old := checkpoint(folder, "checkpoint-old", verifier)
	tree := checkpoint(folder, "checkpoint", verifier)
	check(tlog.CheckTree(hashes(made.Consistency), tree.N, tree.Hash, old.N, old.Hash))

	// Every leaf: by our proof, and by the proof that Go makes of our tiles.
	reader := tlog.TileHashReader(tree, tiles{folder})
	for index, leaf := range leaves(folder, tree.N) {
		position, hash := int64(index), tlog.RecordHash(leaf)
		check(tlog.CheckRecord(hashes(made.Inclusion[index]), tree.N, tree.Hash, position, hash))
		proof, err := tlog.ProveRecord(tree.N, position, reader)
		check(err)
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, position, hash))
	}
	root, err := tlog.TreeHash(old.N, reader)
	check(err)
	if root != old.Hash {
		check(fmt.Errorf("the tiles give another old root"))
	}
	fmt.Printf("%d leaves, %d inclusion proofs, 1 consistency proof, 2 checkpoints\n",
		tree.N, len(made.Inclusion))
}
