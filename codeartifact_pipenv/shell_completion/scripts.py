"""The scripts that shells load. They run NAME, the program, at every tab."""

from __future__ import annotations

# COMP_WORDS has one word on each line, the unfinished one last. The program prints lines of a word, a
# tab and a description. Without a line, the shell completes files.
_BASH = """\
_FUNCTION() {
    local IFS=$'\\n' words line
    # bash splits at = and :, which are in our words
    words="${COMP_LINE:0:COMP_POINT}"
    COMPREPLY=()
    while read -r line; do
        COMPREPLY+=("${line%%$'\\t'*}")
    done < <(COMP_WORDS="$words" _PIPENV_CA_COMPLETE=bash_complete "$1" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace
}
complete -o default -o bashdefault -F _FUNCTION NAME
"""
_ZSH = """\
#compdef NAME
_FUNCTION() {
    local -a found
    local line word
    while IFS= read -r line; do
        word="${line%%$'\\t'*}"
        found+=("${word//:/\\\\:}:${line#*$'\\t'}")
    done < <(COMP_WORDS="${(pj:\\n:)words[1,CURRENT]}" _PIPENV_CA_COMPLETE=zsh_complete "${words[1]}" \\
        2>/dev/null)
    if (( $#found )); then
        _describe -V 'NAME' found
    else
        _files
    fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _FUNCTION "$@"
else
    compdef _FUNCTION NAME
fi
"""
_FISH = """\
function _FUNCTION
    set -lx COMP_WORDS (string join \\n -- (commandline -opc) (commandline -ct) | string collect -N)
    set -lx _PIPENV_CA_COMPLETE fish_complete
    set -l found (NAME 2>/dev/null)
    if set -q found[1]
        string join \\n -- $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --no-files --command NAME --arguments '(_FUNCTION)'
"""
# Each tab runs in the session itself, so the variables for NAME are unset afterwards.
_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName NAME -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { $_.Extent.Text }) + $wordToComplete
    $Env:COMP_WORDS = $words.Trim("'`"") -join "`n"
    $Env:_PIPENV_CA_COMPLETE = 'powershell_complete'
    try {
        NAME 2>$null | ForEach-Object {
            $word, $text = $_ -split "`t", 2
            if (-not $text) { $text = $word }
            [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $text)
        }
    } finally {
        $Env:COMP_WORDS = $null
        $Env:_PIPENV_CA_COMPLETE = $null
    }
}
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}


def script(shell: str, program: str) -> str:
    """Return the script for one of ``SCRIPTS``, for a program's name."""
    function = f"_{program.replace('-', '_')}_completion"
    return SCRIPTS[shell].replace("_FUNCTION", function).replace("NAME", program)
