export function steer() {}
