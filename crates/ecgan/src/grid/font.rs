//! The captions' letters, those of ASCII: 5 x 7 dots, two rows below the line for tails, drawn for this project.

/// Dots from the left edge of one letter to that of the next.
pub const ADVANCE: usize = 6;
/// Rows of a line: capitals take the upper seven.
pub const HEIGHT: usize = 9;

const WIDTH: usize = 5;

/// Letters of one line of `rows`, side by side; `rows` that are missing are empty.
struct Block {
    letters: &'static str,
    rows: &'static [&'static str],
}

const BLOCKS: [Block; 7] = [
    Block {
        letters: "0123456789%.-_",
        rows: &[
            " ###    #    ###   ###     #  #####   ##  #####  ###   ###  ##  #                   ",
            "#   #  ##   #   # #   #   ##  #      #        # #   # #   # ##  #                   ",
            "#  ##   #       #     #  # #  ####  #        #  #   # #   #    #                    ",
            "# # #   #      #    ##  #  #      # ####    #    ###   ####   #         #####       ",
            "##  #   #     #       # #####     # #   #   #   #   #     #  #                      ",
            "#   #   #    #    #   #    #  #   # #   #   #   #   #    #  #  ##  ##               ",
            " ###   ###  #####  ###     #   ###   ###    #    ###   ##   #  ##  ##               ",
            "                                                                              ##### ",
        ],
    },
    Block {
        letters: "ABCDEFGHIJKLM",
        rows: &[
            "  #   ####   ###  ####  ##### #####  ###  #   #  ###    ### #   # #     #   # ",
            " # #  #   # #   # #   # #     #     #   # #   #   #      #  #  #  #     ## ## ",
            "#   # #   # #     #   # #     #     #     #   #   #      #  # #   #     # # # ",
            "#   # ####  #     #   # ####  ####  #  ## #####   #      #  ##    #     # # # ",
            "##### #   # #     #   # #     #     #   # #   #   #      #  # #   #     #   # ",
            "#   # #   # #   # #   # #     #     #   # #   #   #   #  #  #  #  #     #   # ",
            "#   # ####   ###  ####  ##### #      ###  #   #  ###   ##   #   # ##### #   # ",
        ],
    },
    Block {
        letters: "NOPQRSTUVWXYZ",
        rows: &[
            "#   #  ###  ####   ###  ####   #### ##### #   # #   # #   # #   # #   # ##### ",
            "##  # #   # #   # #   # #   # #       #   #   # #   # #   # #   # #   #     # ",
            "# # # #   # #   # #   # #   # #       #   #   # #   # #   #  # #   # #     #  ",
            "# # # #   # ####  #   # ####   ###    #   #   # #   # # # #   #     #     #   ",
            "#  ## #   # #     # # # # #       #   #   #   #  # #  # # #  # #    #    #    ",
            "#   # #   # #     #  #  #  #      #   #   #   #  # #  ## ## #   #   #   #     ",
            "#   #  ###  #      ## # #   # ####    #    ###    #   #   # #   #   #   ##### ",
        ],
    },
    Block {
        letters: "abcdefghijklm",
        rows: &[
            "      #               #         ##        #       #      #  #      ##         ",
            "      #               #        #          #                 #       #         ",
            " ###  ####   ###   ####  ###  ####   #### ####   ##     ##  #  #    #   ## #  ",
            "    # #   # #   # #   # #   #  #    #   # #   #   #      #  # #     #   # # # ",
            " #### #   # #     #   # #####  #    #   # #   #   #      #  ##      #   # # # ",
            "#   # #   # #   # #   # #      #    #   # #   #   #      #  # #     #   # # # ",
            " #### ####   ###   ####  ###   #     #### #   #  ###     #  #  #   ###  # # # ",
            "                                        #             #  #                    ",
            "                                     ###               ##                     ",
        ],
    },
    Block {
        letters: "nopqrstuvwxyz",
        rows: &[
            "                                                                              ",
            "                                     #                                        ",
            "####   ###  ####   #### # ##   #### ####  #   # #   # #   # #   # #   # ##### ",
            "#   # #   # #   # #   # ##  # #      #    #   # #   # #   #  # #  #   #    #  ",
            "#   # #   # #   # #   # #      ###   #    #   # #   # # # #   #   #   #   #   ",
            "#   # #   # #   # #   # #         #  #    #   #  # #  # # #  # #  #   #  #    ",
            "#   #  ###  ####   #### #     ####    ##   ####   #    # #  #   #  #### ##### ",
            "            #         #                                               #       ",
            "            #         #                                            ###        ",
        ],
    },
    Block {
        letters: "!\"#$&'()*+,/:;",
        rows: &[
            "  #    # #   # #    #    ##     #      #   #                                        ",
            "  #    # #   # #   #### #  #    #     #     #     #     #             #  ##    ##   ",
            "  #    # #  ##### # #   # #    #     #       #  # # #   #            #   ##    ##   ",
            "  #          # #   ###   #           #       #   ###  #####         #               ",
            "  #         #####   # # # # #        #       #  # # #   #          #     ##    ##   ",
            "             # #  ####  #  #          #     #     #     #    ##   #      ##    ##   ",
            "  #          # #    #    ## #          #   #                 ##                 #   ",
            "                                                              #                #    ",
            "                                                             #                      ",
        ],
    },
    Block {
        letters: "<=>?@[\\]^`{|}~",
        rows: &[
            "   #         #     ###   ###   ###         ###    #    #       ##   #   ##          ",
            "  #           #   #   # #   #  #    #        #   # #    #     #     #     #         ",
            " #    #####    #      #     #  #     #       #  #   #    #    #     #     #    #    ",
            "#               #    #   ## #  #      #      #               #      #      #  # # # ",
            " #    #####    #    #   # # #  #       #     #                #     #     #      #  ",
            "  #           #         # # #  #        #    #                #     #     #         ",
            "   #         #      #    ###   ###         ###                 ##   #   ##          ",
            "                                                                    #               ",
        ],
    },
];

/// Whether `letter` can be drawn.
pub fn has(letter: char) -> bool {
    letter == ' ' || BLOCKS.iter().any(|block| block.letters.contains(letter))
}

/// Whether the dot of `letter` at (`x`, `y`) is set. Unknown letters are a hollow box, a space is empty.
pub fn dot(letter: char, x: usize, y: usize) -> bool {
    if x >= WIDTH || letter == ' ' {
        return false;
    }
    for block in &BLOCKS {
        if let Some(index) = block.letters.find(letter) {
            return block.rows.get(y).is_some_and(|row| row.as_bytes()[index * ADVANCE + x] == b'#');
        }
    }
    y < 7 && (x == 0 || x == WIDTH - 1 || y == 0 || y == 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_has_dots_of_its_own_and_a_gap_to_the_next() {
        let mut seen = std::collections::HashMap::new();
        for block in &BLOCKS {
            assert!(block.rows.iter().all(|row| row.len() == block.letters.len() * ADVANCE), "{}", block.letters);
            for letter in block.letters.chars() {
                let dots: Vec<bool> = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| dot(letter, x, y))).collect();
                assert!(dots.contains(&true), "{letter} is empty");
                if let Some(other) = seen.insert(dots, letter) {
                    panic!("{letter} looks like {other}");
                }
                let index = block.letters.find(letter).unwrap();
                let gap = index * ADVANCE + WIDTH;
                assert!(block.rows.iter().all(|row| row.as_bytes()[gap] == b' '), "{letter} touches the next");
            }
        }
        assert!(seen.len() == 94 && (' '..='~').all(has), "all of ASCII but what commands");
        assert!(!['\n', '\u{7f}', 'é', '猫'].iter().any(|&letter| has(letter)));
        assert!(dot('é', 0, 0) && !dot('é', 2, 3) && !dot(' ', 0, 0));
    }
}
