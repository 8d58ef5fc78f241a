#compdef @PROGRAMS@
# zsh completion of GloViTa's programs. The program itself says what may follow (PROGRAM --complete -- WORDS...), so that this is never
# out of date. It lies as _glovita in a directory of fpath, or is sourced behind compinit.
_glovita() {
    local program=${(Q)words[1]} word text about paths
    local -a plain levels
    program=${program/#\~\//$HOME/}
    (( $+commands[$program] )) || [[ -x $program ]] || return 1

    while IFS=$'\t' read -r word text; do
        case $word in
        (:help) about=$text ;;
        (:file) paths=yes ;;
        (:dir) paths=dirs ;;
        (*[.:=/]) levels+=("${word//:/\\:}${text:+:$text}") ;;
        (*) plain+=("${word//:/\\:}${text:+:$text}") ;;
        esac
    done < <("$program" --complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)

    if [[ -n $paths ]]; then
        compset -P '--*='
        if [[ $paths == dirs ]]; then _files -/; else _files; fi
        return
    fi
    if (( ! $#plain && ! $#levels )); then
        [[ -n $about ]] && _message -e values "$about"
        return 1
    fi
    _describe -t values "${about:-glovita}" plain -U -- levels -U -S ''
}

if [[ $funcstack[1] == _glovita ]]; then
    _glovita "$@"
else
    compdef _glovita @PROGRAMS@
fi
